"""The paper's numbers, as data: its tables, and cells read from the authors' stored notebook outputs."""

from importlib.resources import files

import pandas as pd


def published() -> pd.DataFrame:
    """Read the columns task, model, setup, metric, value, source; one run each on ERA5, without seeds.

    Example:
        >>> published().columns.tolist()
        ['task', 'model', 'setup', 'metric', 'value', 'source']
    """
    with (files("sparta_core.data") / "paper_results.csv").open() as file:
        return pd.read_csv(file)
