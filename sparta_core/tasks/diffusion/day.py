"""Whole days, given the same days sparse: the paper's."""

from sparta_core.tasks.diffusion import Drawn


class Day(Drawn, name="day"):
    """The whole day, given the sparse."""

    learns_from = "downstream_train"
