"""Days of a record as a cycle sees them, observed at some places, and how wrong its analyses are."""

from collections.abc import Iterable, Iterator

from torch import Tensor

from sparta_core.data.record import Record
from sparta_core.tasks.assimilation.analysis import Analysis, Observed
from sparta_core.tasks.assimilation.cycle import Cycle


def analyses(record: Record, cycle: Cycle, days: Iterable[int], seen: Iterable[Tensor]
             ) -> Iterator[tuple[Tensor, Analysis]]:  # fmt: skip
    """Analyse days of a record, whose values are observed without errors at some places.

    Args:
        record: The days.
        cycle: Where it begins.
        days: Their numbers in the record.
        seen: The places (p,) in a day (C, H, W) of each.

    Yields:
        All values of a day (D,) and its analysis.
    """
    error = cycle.system.error
    for day, where in zip(days, seen, strict=True):
        sample, places = record.take(slice(day, day + 1)), where.to(record.device)
        truth = sample.values.flatten()
        yield truth, cycle.analyse(Observed(truth[places], places, error[places]), sample.dates[0])


def by_variable(record: Record, fields: Tensor) -> Tensor:
    """The means (..., C), over the area, of fields (..., D), float64."""
    flat = fields.unflatten(-1, (len(record.variables), -1)).double()
    return (flat * record.cell_area.flatten()).mean(-1)
