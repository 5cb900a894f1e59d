"""Ensembles of days: each member by itself, and given back along number, or realization where a task makes its own."""

import json

import numpy as np
import pytest
import xarray as xr

from sparta_core import Model
from tests.conftest import made_up_weather


@pytest.fixture(scope="module")
def model(globe):
    return Model.of(globe(classifier="date"))


@pytest.fixture(scope="module")
def members():
    """Three years of the same six dates."""
    days = [made_up_weather(days=566, seed=seed).isel(time=slice(560, 566)) for seed in (5, 6, 7)]
    return xr.concat(days, xr.IndexVariable("number", [0, 1, 2]))


@pytest.mark.parametrize("dim", ["number", "member", "realization"])
@pytest.mark.parametrize("method", ["embed", "reconstruct", "season"])
def test_members_are_taken_each_by_itself(model, members, method, dim):
    made = getattr(model, method)(members.rename(number=dim))
    assert made["number"].values.tolist() == [0, 1, 2]
    for member in range(3):
        alone = getattr(model, method)(members.isel(number=member, drop=True))
        for name in alone:
            assert made[name].dims == ("number", *alone[name].dims)
            np.testing.assert_array_equal(made[name].isel(number=member), alone[name])
    assert made.attrs == alone.attrs


def test_forecasts_of_members_have_members_of_their_own(model, members):
    made = model.forecast(members, leads=2)
    assert made["geopotential"].dims == ("number", "init_time", "lead_time", "latitude", "longitude")
    both = model.forecast(members, leads=2, members=4)
    assert both["geopotential"].dims[:4] == ("realization", "init_time", "lead_time", "number")
    alone = model.forecast(members.isel(number=1, drop=True), leads=2, members=4)
    np.testing.assert_array_equal(both["geopotential"].isel(realization=1), alone["geopotential"])


def test_a_gross_error_in_one_member_is_set_aside(model, members):
    days = members.copy(deep=True)
    days["2m_temperature"][{"number": 1, "time": 2, "latitude": 4, "longitude": 5}] += 60
    with pytest.warns(UserWarning, match=r"^1 observed value is set aside as a gross error, 2m_temperature on "):
        made = model.reconstruct(days)
    (aside,) = json.loads(made.attrs["set_aside"])
    assert aside[:2] == ["2m_temperature", str(days.time.values[2])[:10]]
    np.testing.assert_array_equal(made["geopotential"][0], model.reconstruct(members)["geopotential"][0])


def test_one_day_of_members_and_a_variable_that_all_share(model, members):
    day = members.isel(time=0)
    day["geopotential"] = day["geopotential"].isel(number=0, drop=True)
    made = model.reconstruct(day)
    assert made["geopotential"].dims == ("number", "latitude", "longitude") and made.sizes["number"] == 3
