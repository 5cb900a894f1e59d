"""The throughput that is measured is that of the package's own solve, and of one that is dense."""

import pytest
import torch

from benchmarks import throughput as measured
from benchmarks.report import amount
from benchmarks.setting import Setting
from benchmarks.throughput import DAYS, World, throughput


@pytest.fixture(scope="module")
def world():
    return World(8, 16)


def test_the_dense_solve_is_the_same_one(world):
    ours = world.interpolation(world.values, world.observed) @ world.patterns
    dense = world.solve_densely()
    assert float((ours - dense).square().mean()) < 1e-3 * float(dense.square().mean())


def test_days_are_rebuilt_and_analysed(world):
    """Observed values come back, and the cycle goes from day to day."""
    made, seen = world.reconstruct(), world.observed > 0
    near = (made - world.values)[seen].square().mean()
    assert float(near) < 1e-3 * float(world.values[seen].square().mean())
    a_day = world.assimilate()
    (first, std), (second, _) = a_day(), a_day()
    assert first.shape == std.shape == world.values[0].flatten().shape and not torch.equal(first, second)


def test_rows_are_of_each_grid_and_number_of_threads(monkeypatch):
    monkeypatch.setattr(measured, "GRIDS", ((8, 16), (16, 32)))
    monkeypatch.setattr(measured, "DENSE", (8, 16))
    before = torch.get_num_threads()
    rows = list(throughput(Setting("cpu", rounds=1)))
    assert torch.get_num_threads() == before
    texts = [row.measured for row in rows]
    assert texts[0] == "reconstruct from 30% of 8 x 16, threads: 1" and "dense solve" in rows[0].against
    assert texts[-1] == "time of a day for 4 times the points"
    assert rows[-1].ours == f"{amount(4 * rows[-1].ratio.median)} times" and DAYS > 1
