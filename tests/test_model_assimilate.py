"""`Model.assimilate`: sparse days of anybody's to analyses, and on from them."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sparta_core import DataError, ExperimentError, Model, RunError, load
from sparta_core.__main__ import main
from sparta_core.tasks.assimilation import kept
from sparta_core.tasks.assimilation.cycle import Cycle
from sparta_core.tasks.assimilation.fitted import trained_system
from tests.conftest import made_up_weather

NAME = "2m_temperature"


@pytest.fixture(scope="module")
def experiment(globe):
    return globe(backbone="none", autoencoder_epochs=0, assimilation_members=6)


@pytest.fixture(scope="module")
def path(experiment, tmp_path_factory):
    return Model.of(experiment, ["assimilation"]).save(tmp_path_factory.mktemp("model") / "model.safetensors")


@pytest.fixture
def model(path):
    return load(path)


@pytest.fixture(scope="module")
def truth():
    return made_up_weather(days=600).isel(time=slice(560, 575)).load()


@pytest.fixture
def days(truth):
    """Forty places of every variable, and one day without any observation."""
    draws = np.random.default_rng(0)
    seen = np.zeros((16, 32), bool)
    seen.flat[draws.choice(512, 40, replace=False)] = True
    dark = xr.DataArray(np.arange(15) != 8, dims="time")
    return truth.where(xr.DataArray(seen, dims=("latitude", "longitude")) & dark)


def error(made, truth, name=NAME):
    return float(((made[name] - truth[name]) ** 2).mean())


def test_analyses_are_fields_with_names_and_units_and_better_than_single_days(model, days, truth):
    made = model.assimilate(days)
    assert made[NAME].dims == ("time", "latitude", "longitude") and made.sizes["time"] == 15
    assert made[NAME].attrs["ancillary_variables"].split()[0] == f"{NAME}_std" and made[NAME].attrs["units"] == "K"
    assert made[f"{NAME}_std"].attrs["standard_name"] == "air_temperature standard_error"
    assert bool((made[f"{NAME}_std"] > 0).all())
    lit = [k for k in range(15) if k != 8]
    single = model.reconstruct(days.isel(time=lit))
    assert error(made.isel(time=lit[5:]), truth) < error(single.isel(time=slice(5, None)), truth)
    innovation = made[f"{NAME}_innovation"]
    np.testing.assert_allclose(innovation, days[NAME] - made[f"{NAME}_background"], atol=2e-3)
    assert bool(innovation.isel(time=8).isnull().all())
    np.testing.assert_allclose(made[NAME].isel(time=8), made[f"{NAME}_background"].isel(time=8), atol=1e-4)


def test_the_std_is_in_the_units_of_the_field_and_grows_in_the_dark(model, days):
    made = model.assimilate(days)
    std = made[f"{NAME}_std"].mean(("latitude", "longitude"))
    assert float(std[8]) > float(std[7]) and float(std[8]) > float(std[9])


def test_a_file_goes_on_from_yesterday_with_the_same_bits(model, path, days, tmp_path):
    whole = model.assimilate(days)
    cycle = tmp_path / "cycle.safetensors"
    first = model.assimilate(days.isel(time=slice(0, 7)), cycle=cycle)
    second = load(path).assimilate(days.isel(time=slice(7, None)), cycle=cycle)
    xr.testing.assert_identical(xr.concat([first, second], "time", data_vars="minimal")[NAME], whole[NAME])
    with pytest.raises(DataError, match=r"the cycle has come to 2002-07-29, and the next day is 2002-07-22; give"):
        model.assimilate(days.isel(time=slice(7, None)), cycle=cycle)


def test_days_that_are_left_out_are_gone_through(model, days):
    whole = model.assimilate(days)
    made = model.assimilate(days.isel(time=[k for k in range(15) if k != 8]))
    np.testing.assert_array_equal(made[NAME].isel(time=-1), whole[NAME].isel(time=-1))


def test_days_of_another_calendar_follow_each_other(model, days):
    """Without 29 February no day is missing."""
    days = days.isel(time=slice(0, 4))
    start = days.assign_coords(time=np.array(["2004-02-27", "2004-02-28", "2004-02-29", "2004-03-01"], "M8[ns]"))
    noleap = days.assign_coords(time=xr.date_range("2004-02-26", periods=4, calendar="noleap", use_cftime=True))
    counts = []
    for given in (noleap, start.isel(time=[0, 1, 3])):
        made = model.assimilate(given, quality_control=False)
        counts.append(float(made[f"{NAME}_std"].isel(time=-1).mean()))
    assert counts[0] < counts[1]  # there a day without observations lies between


def test_errors_make_observations_count_less(model, days):
    near = [float(abs(model.assimilate(days, errors=errors)[f"{NAME}_innovation"]).mean())
            for errors in ({}, {NAME: 3.0}, {NAME: xr.full_like(days[NAME], 3.0)})]  # fmt: skip
    assert near[0] < near[1] == pytest.approx(near[2], rel=1e-5)
    unknown = xr.full_like(days[NAME], np.nan).where(days.latitude > 0, 0.5)
    made = model.assimilate(days, errors={NAME: unknown})
    assert bool(made[f"{NAME}_innovation"].sel(latitude=slice(0, 90)).isnull().all())
    ones = xr.ones_like(days[NAME])
    for errors, said in (({"heat": 1.0}, "errors has the variable 'heat'"), ({NAME: -1.0}, "a standard deviation is"),
                         ({NAME: ones.isel(longitude=slice(0, 9))}, "are on 16 x 9 points"),
                         ({NAME: ones.isel(time=slice(3))}, "errors are of 3 times and the days 15")):  # fmt: skip
        with pytest.raises(ExperimentError, match=said):
            model.assimilate(days, errors=errors)


def test_a_gross_error_is_set_aside_and_told(model, days):
    row, column = np.argwhere(days[NAME].isel(time=5).notnull().values)[3]
    spoiled = days.copy(deep=True)
    spoiled[NAME][5, row, column] = 300
    with pytest.warns(UserWarning, match="set aside"):
        made = model.assimilate(spoiled)
    name, date, *_ = json.loads(made.attrs["set_aside"])[0]
    assert (name, date) == (NAME, str(days.time.values[5])[:10])
    assert np.isnan(made[f"{NAME}_innovation"][5, row, column])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "set_aside" not in model.assimilate(spoiled, quality_control=False).attrs


def test_a_forecast_goes_on_from_the_last_analysis(model, days):
    made = model.assimilate(days)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        forecast = model.forecast(made, leads=3)
    assert forecast.init_time.values[0] == days.time.values[-1] and forecast.sizes["lead_time"] == 3


def test_a_file_that_is_no_cycle_of_this_model_is_refused(model, globe, days, tmp_path):
    cycle = tmp_path / "cycle.safetensors"
    model.assimilate(days.isel(time=slice(0, 2)), cycle=cycle)
    whole = cycle.read_bytes()
    cycle.write_bytes(whole[:-3] + b"abc")
    with pytest.raises(RunError, match=r"cycle\.safetensors .*delete it to begin a new cycle"):
        model.assimilate(days.isel(time=slice(2, 4)), cycle=cycle)
    cycle.write_bytes(whole)
    other = Model(model.tensors, model.about, model.experiment.replace(assimilator="kalman"))
    with pytest.raises(RunError, match="is the state of a cycle of another assimilator; give that, or another file"):
        other.assimilate(days.isel(time=slice(2, 4)), cycle=cycle)
    with pytest.raises(RunError, match=r"cannot write .*; choose another folder"):
        model.assimilate(days.isel(time=slice(2, 4)), cycle=cycle / "cycle.safetensors")


def test_what_is_stopped_goes_on_where_it_was(model, days, tmp_path, monkeypatch):
    """With the same bits, and what is done is not done again; other days are."""
    monkeypatch.setattr(kept, "BLOCK", 4)
    whole, cycle, calls = model.assimilate(days), tmp_path / "cycle.safetensors", []
    analyse = Cycle.analyse

    def stopped(self, *given):
        calls.append(given)
        if len(calls) == 10:
            raise KeyboardInterrupt
        return analyse(self, *given)

    monkeypatch.setattr(Cycle, "analyse", stopped)
    with pytest.raises(KeyboardInterrupt):
        model.assimilate(days, cycle=cycle)
    assert not cycle.exists()
    made = model.assimilate(days, cycle=cycle)
    assert len(calls) == 10 + 15 - 8 and cycle.exists() and [*tmp_path.iterdir()] == [cycle]
    xr.testing.assert_identical(made, whole)

    calls.clear()
    cycle.unlink()
    with pytest.raises(KeyboardInterrupt):
        model.assimilate(days, cycle=cycle)
    other = days.copy(deep=True)
    other[NAME][5] += 0.1
    changed = model.assimilate(other, cycle=cycle)
    assert len(calls) == 10 + 15 - 4
    assert float(abs(changed[NAME][5:] - whole[NAME][5:]).max()) > 0.01


def test_days_without_dates_are_refused(model, days):
    with pytest.raises(DataError, match="has no coordinate time of dates, and"):
        model.assimilate(days.drop_vars("time"))


def test_a_model_without_dynamics_has_no_assimilation(tiny, days):
    experiment = tiny()
    with pytest.raises(ExperimentError, match="forecaster is 'lstm', and assimilation takes the modes and dyn"):
        trained_system(experiment)
    with pytest.raises(ExperimentError, match="forecaster is 'lstm', and assimilation takes the modes and dyn"):
        Model.of(experiment, ["assimilation"])
    assert not Path(experiment.runs).exists()  # nothing was trained before


def test_the_command_line_assimilates(path, days, tmp_path, model):
    days.to_netcdf(tmp_path / "days.nc", engine="h5netcdf")
    files = {name: str(tmp_path / file) for name, file in
             (("input", "days.nc"), ("output", "analyses.nc"), ("cycle", "cycle.safetensors"))}  # fmt: skip
    main(["assimilate", "--model", str(path), *(word for name in files for word in (f"--{name}", files[name]))])
    made = xr.open_dataset(tmp_path / "analyses.nc", engine="h5netcdf")
    np.testing.assert_array_equal(made[NAME], model.assimilate(days)[NAME])
    assert (tmp_path / "cycle.safetensors").exists()
