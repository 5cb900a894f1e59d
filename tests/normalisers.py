"""What a model knows of fields on a grid, without any days."""

import numpy as np
import torch

from sparta_core.data.domain import Domain
from sparta_core.data.normaliser import Normaliser
from sparta_core.data.variables import UNITS


def normaliser(rows, columns):
    """Of the paper's variables, already standardised, on a globe."""
    domain = Domain(-90 + 180 / rows * (np.arange(rows) + 0.5), 360 / columns * np.arange(columns))
    return Normaliser(domain=domain, variables=tuple(UNITS), units=tuple(UNITS.values()), level=850,
                      mean=torch.zeros(5), std=torch.ones(5))  # fmt: skip
