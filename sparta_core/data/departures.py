"""What values depart from, once they are standardised: their mean, or the climatology of their date."""

import torch
from torch import Tensor

from sparta_core.data.climatology import climatology_at, days_of_year, fit_climatology
from sparta_core.data.days import Days, blocks
from sparta_core.settings import Choice


class Departures(Choice, slot="departures", default="mean"):
    """What values are departures from."""

    def take_off(self, days: Days) -> Tensor | None:
        """Make standardised values departures, in place.

        Returns:
            What brings them back: the climatology's coefficients (7, C, H, W), or None where nothing was taken off.
        """
        raise NotImplementedError


class FromMean(Departures, name="mean"):
    """The training mean, which standardising has taken off."""

    def take_off(self, days: Days) -> Tensor | None:
        return None


class FromClimatology(Departures, name="climatology"):
    """What is usual on the day of the year."""

    def take_off(self, days: Days) -> Tensor | None:
        day_of_year, train = days_of_year(days.time), days.splits["train"]
        climatology = fit_climatology(torch.from_numpy(days.values[: train.stop]), day_of_year[: train.stop],
                                      days.where)  # fmt: skip
        for block in blocks(days.values):
            days.values[block] -= climatology_at(climatology, day_of_year[block]).numpy()
        return climatology
