"""What values are anomalies from, once they are standardised: their mean, or the climatology of their date."""

from sparta_core.data.record import Record
from sparta_core.settings import Choice


class Anomalies(Choice, slot="anomalies", default="mean"):
    """What values are anomalies from."""

    def applied(self, record: Record) -> Record:
        """The days of a record that is standardised by mean and std, as such anomalies."""
        raise NotImplementedError


class FromMean(Anomalies, name="mean"):
    """The training mean, which standardising has taken off."""

    def applied(self, record: Record) -> Record:
        return record


class FromClimatology(Anomalies, name="climatology"):
    """The climatology of the day of the year."""

    def applied(self, record: Record) -> Record:
        return record.anomalies
