"""Products with the damped covariance, and its eigenvectors: against the dense one in float64, and closed forms."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.special import ive

from sparta_core import localised
from sparta_core.data.domain import Domain
from sparta_core.localised import (
    CovarianceBlocks,
    add_products_by_blocks,
    add_products_by_factors,
    localised_eofs,
    taper_factors,
)
from tests.globe import axes

LENGTH = 1.26


def irregular(count, radius, seed=0):
    """Places within about `radius` of one another, in no order."""
    middle = torch.tensor([0.3, -0.5, 0.8]).double()
    shifts = torch.rand(count, 3, generator=torch.Generator().manual_seed(seed)).double() - 0.5
    at = middle / middle.norm() + radius * shifts
    return at / at.norm(dim=1, keepdim=True)


def spiral(count):
    """Places spread evenly over the sphere (a Fibonacci lattice)."""
    height = 1 - (2 * torch.arange(count).double() + 1) / count
    turn = torch.pi * (3 - 5**0.5) * torch.arange(count)
    return torch.stack([(1 - height**2).sqrt() * turn.cos(), (1 - height**2).sqrt() * turn.sin(), height], 1)


PLACES = {"globe": Domain(*axes(8, 16)).positions().flatten(0, 1), "region": irregular(90, 0.6), "spiral": spiral(70)}


@pytest.fixture(params=PLACES)
def places(request):
    return PLACES[request.param]


def noise(days, size, seed=0):
    return torch.randn(days, size, generator=torch.Generator().manual_seed(seed)).double()


def believed(places, length):
    return torch.exp(-((places[:, None] - places) / length).square().sum(-1) / 2)


def damped(x, places, length):
    variables = x.shape[1] // len(places)
    return x.T @ x / len(x) * believed(places, length).repeat(variables, variables)


def by_factors(x, places, fields, length=LENGTH):
    made = torch.zeros_like(fields)
    shares = list(add_products_by_factors(made, x, taper_factors(places, length, len(places)), fields))
    return made, shares


def by_blocks(x, places, fields, length=LENGTH):
    made = torch.zeros_like(fields)
    shares = list(add_products_by_blocks(made, CovarianceBlocks(x, places, length), fields, len(places)))
    return made, shares


@pytest.fixture(params=["factors", "blocks", "blocks again"])
def way(request, monkeypatch):
    """Which of the ways is gone, whatever they cost."""
    factors, enough = taper_factors, request.param == "factors"
    monkeypatch.setattr(localised, "taper_factors",
                        lambda at, length, _: factors(at, length, len(at)) if enough else None)  # fmt: skip
    monkeypatch.setattr(localised, "KEPT", 0 if request.param == "blocks again" else 2**31)
    monkeypatch.setattr(localised, "BLOCK", 50)


@pytest.mark.parametrize("size", [1, 4, 7])
@pytest.mark.parametrize("block", [30, 64, 1024])
def test_blocks_are_the_dense_covariance(places, size, block, monkeypatch):
    monkeypatch.setattr(localised, "BLOCK", block)
    x, fields = noise(20, 3 * len(places)), noise(3 * len(places), size, 1)
    made, shares = by_blocks(x, places, fields)
    torch.testing.assert_close(made, damped(x, places, LENGTH) @ fields)
    assert shares == sorted(shares) and shares[-1] == 1


@pytest.mark.parametrize("size", [1, 4, 7])
def test_factors_are_the_dense_covariance_but_for_what_they_leave_out(places, size, monkeypatch):
    monkeypatch.setattr(localised, "FIELDS", 4)
    x, fields = noise(20, 3 * len(places)), noise(3 * len(places), size, 1)
    made, shares = by_factors(x, places, fields)
    expected = damped(x, places, LENGTH) @ fields
    assert (made - expected).norm() < 3 * localised.LEFT_OUT * expected.norm()
    assert shares == sorted(shares) and shares[-1] == 1
    monkeypatch.setattr(localised, "LEFT_OUT", 1e-12)
    torch.testing.assert_close(by_factors(x, places, fields)[0], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("length", [0.3, 1.26, 1e6])
def test_the_taper_keeps_every_variance_and_little_else_is_lost(places, length):
    factors = taper_factors(places, length, len(places))
    expected = believed(places, length)
    torch.testing.assert_close(factors.square().sum(0), torch.ones(len(places)).double(), rtol=1e-13, atol=0)
    assert (factors.T @ factors - expected).abs().max() < 2 * localised.LEFT_OUT


def test_no_fewer_factors_would_leave_out_as_little(places):
    """Eigenvectors are the best there are: with one less, more than the share is lost somewhere."""
    values, vectors = torch.linalg.eigh(believed(places, LENGTH))
    left_out = 1 - (vectors.square() * values).flip(1).cumsum(1).amin(0)
    assert len(taper_factors(places, LENGTH, len(places))) == 1 + int((left_out > localised.LEFT_OUT).sum())


def test_how_many_factors_there_are():
    """On a globe 25 at 8,000 km, and more at fewer; in a region few, of however many places; too many are not made."""
    globe = Domain(*axes(32, 64)).positions().flatten(0, 1)
    assert len(taper_factors(globe, 8000 / 6371, 100)) == 25
    assert 100 < len(taper_factors(globe, 3000 / 6371, 200)) < 130
    assert len(taper_factors(irregular(3000, 0.3), 8000 / 6371, 100)) <= 6
    assert len(taper_factors(globe, 1e6, 1)) == 1
    assert taper_factors(globe, 8000 / 6371, 24) is None and taper_factors(globe, 0.05, 100) is None
    assert taper_factors(globe, 8000 / 6371, 0) is None


@pytest.mark.parametrize("made", [by_factors, by_blocks])
def test_white_noise_stays_white(places, made):
    """Days whose sample covariance is exactly 1: damped, it is the same, because every variance is kept."""
    size = 2 * len(places)
    x = torch.linalg.qr(noise(size + 40, size)).Q * (size + 40) ** 0.5
    fields = noise(size, 5, 1)
    torch.testing.assert_close(made(x, places, fields)[0], fields)


def test_of_one_and_the_same_day_the_modes_are_spherical_harmonics(way):
    """Its damped covariance is the taper, whose eigenvalues on a sphere are Bessel functions (Funk and Hecke)."""
    count, sharpness = 600, LENGTH**-2
    _, values = localised_eofs(torch.ones(1, count).double(), 16, spiral(count), LENGTH)
    degrees = np.repeat(np.arange(4), 2 * np.arange(4) + 1)
    expected = count * np.sqrt(np.pi / 2 / sharpness) * ive(degrees + 0.5, sharpness)
    np.testing.assert_allclose(values, expected, rtol=5e-3)


def test_eigenvectors_are_the_dense_covariances(places, way):
    x = noise(40, 2 * len(places)) * torch.logspace(0, -1, 2 * len(places))
    patterns, values = localised_eofs(x.float(), 12, places, LENGTH)
    expected, vectors = torch.linalg.eigh(damped(x, places, LENGTH))
    np.testing.assert_allclose(values, expected.flip(0)[:12], rtol=1e-3)
    np.testing.assert_allclose(np.linalg.svd(patterns.double() @ vectors[:, -14:])[1], 1, atol=1e-2)
    torch.testing.assert_close(patterns @ patterns.T, torch.eye(12), atol=1e-5, rtol=0)


def test_the_order_of_places_does_not_matter(places, way):
    x, order = noise(40, len(places)), torch.randperm(len(places), generator=torch.Generator().manual_seed(1))
    patterns, values = localised_eofs(x, 8, places, LENGTH)
    others, same = localised_eofs(x[:, order], 8, places[order], LENGTH)
    torch.testing.assert_close(values, same, rtol=1e-4, atol=0)
    assert ((patterns[:5, order] * others[:5]).sum(1).abs() > 0.999).all()


def test_it_says_how_far_it_is(way):
    shares = []
    localised_eofs(noise(30, 180).float(), 5, PLACES["region"], LENGTH, shares.append)
    assert len(shares) > 10 and shares == sorted(shares) and shares[-1] == pytest.approx(1)


BIG = """
from benchmarks.memory import peak
from tests.test_localised import by_blocks, localised_eofs, noise, spiral

def work(days, places):
    {work}

work(noise(10, 50), spiral(50))
days, places, before = noise(10, 8_000), spiral(8_000), peak("cpu")
work(days, places)
print(peak("cpu") - before)
"""


@pytest.mark.parametrize("work", ["localised_eofs(days, 5, places, 1.26)", "by_blocks(days, places, days.T)"])
def test_memory_grows_as_the_grid_and_not_as_its_square(work):
    """The taper alone would take half a gigabyte."""
    done = subprocess.run([sys.executable, "-c", BIG.format(work=work)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 8_000**2 * 8 / 4  # some blocks of 8 MB, and what grows as the grid
