"""The paper's numbers, as data: its tables, and cells read from the authors' stored notebook outputs."""

from importlib.resources import files

import pandas as pd

FILE = "paper_results.csv"


def published() -> pd.DataFrame:
    """Columns task, model, setup, metric, value, source; one run each on ERA5, without seeds."""
    with (files("sparta_core.data") / FILE).open() as file:
        return pd.read_csv(file)
