"""A region, every 12 hours: through every stage and task, the same however it is written, and on anybody's days."""

import warnings

import numpy as np
import pytest
import torch
import xarray as xr

from sparta_core.experiment import Experiment
from sparta_core.loading import load
from sparta_core.model import Model
from sparta_core.tasks import tasks
from sparta_core.training.records import open_record
from sparta_core.training.stages import representation
from tests.linear import GLOBE
from tests.region import LATITUDE, LONGITUDE, SETTINGS, VARIABLES, made_up_region

OURS = GLOBE | {"view_size": None, "crop_from": None, "classifier": "mlp", "sparsity": "swaths"}
PAPER = {"width": 4, "view_size": (24, 36), "crop_from": (26, 40), "smoothing": 3, "head": "flatten", "norm_groups": 2}
H12 = np.timedelta64(12, "h")


@pytest.fixture(scope="module")
def days():
    return made_up_region()


@pytest.fixture(scope="module")
def experiment(days, tmp_path_factory):
    folder = tmp_path_factory.mktemp("region")
    days.to_netcdf(folder / "region.nc", engine="h5netcdf")
    settings = {"data": str(folder / "region.nc"), "runs": str(folder / "runs")} | SETTINGS
    return lambda more: Experiment(**(settings | more | {"embedding": 12}))


def test_the_record_is_of_a_region_and_a_clock(experiment, days):
    record = open_record(experiment(OURS))
    assert record.domain.shape == (24, 36) and not record.domain.periodic_x and record.clock.step == H12
    np.testing.assert_allclose(record.longitude, LONGITUDE, atol=1e-9)
    area = np.cos(np.deg2rad(LATITUDE))[:, None].repeat(36, 1)
    np.testing.assert_allclose(record.cell_area, area / area.mean(), rtol=1e-4)
    assert record.fitted_climatology.shape == (13, 3, 24, 36)  # no year in 160 days, but a day
    assert record.anomalies is record
    left = record.split("train").values[:, 0]
    assert float(left[::2].mean() - left[1::2].mean()) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("more", [OURS, PAPER], ids=["ours", "paper"])
def test_every_stage_and_task_trains_and_is_scored(experiment, more):
    made = experiment(more)
    for name, task in tasks(made).items():
        if hasattr(task, "train"):
            task.train(made)
        scores = task.score(made)
        numbers = [scores[each].values for each in scores if scores[each].dtype.kind == "f"]
        assert numbers and all(np.isfinite(each).any() for each in numbers), name
        if name == "forecast":
            assert scores.lead.attrs["units"] == "hours" and scores.lead.values.tolist() == [12, 24, 36, 48, 60]
            assert float(task.score_baselines(made).rmse.sel(model="persistence", lead=12).mean()) > 0


@pytest.mark.parametrize("write", [
    lambda days: days.assign_coords(longitude=days.longitude % 360).sortby("longitude"),
    lambda days: days.isel(latitude=slice(None, None, -1)),
    lambda days: days.transpose("longitude", "time", "latitude"),
    lambda days: days.assign_coords(longitude=days.longitude + 90),
], ids=["0..360", "north first", "transposed", "90 degrees east"])
def test_the_same_field_written_otherwise_trains_to_the_same_weights(experiment, days, tmp_path, write):
    """To the bit, and elsewhere on the globe to rounding."""
    write(days).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    made = experiment(OURS | {"sparsity": "swaths"})
    other = made.replace(data=str(tmp_path / "other.nc"), runs=str(tmp_path / "runs"))
    first, second = (representation(each).state_dict() for each in (made, other))
    for name, weight in first.items():
        torch.testing.assert_close(second[name], weight, atol=2e-3, rtol=2e-3)


@pytest.fixture(scope="module")
def model(experiment, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    Model.of(experiment(OURS), ["forecast"]).save(path)
    return load(path, "cpu")


def sparse(days, share=0.3):
    kept = np.random.default_rng(0).uniform(size=days["rain"].shape) < share
    return days.where(xr.DataArray(kept, dims=days["rain"].dims))


def test_a_model_of_a_region_forecasts_in_its_own_steps(model, days):
    made = model.forecast(sparse(days.isel(time=slice(-6, None))), leads=4, members=3)
    np.testing.assert_array_equal(made.lead_time, np.arange(1, 5) * H12)
    assert made.init_time.values == days.time.values[-1:]
    assert dict(made.sizes) == {"init_time": 1, "lead_time": 4, "number": 3, "latitude": 24, "longitude": 36}


def test_a_region_may_be_given_torn_at_greenwich(model, days):
    some = sparse(days.isel(time=slice(4)))
    torn = some.assign_coords(longitude=some.longitude % 360).sortby("longitude")
    assert torn.longitude.values[0] < 37.5 < 340 <= torn.longitude.values[-1]
    xr.testing.assert_identical(model.reconstruct(torn).drop_attrs(), model.reconstruct(some).drop_attrs())


def test_a_finer_grid_is_moved_when_asked(model, days):
    """Each cell halved along both axes: the means over the model's cells are the fields themselves."""
    some = days.isel(time=slice(3)).astype("f8")
    steps = np.diff(LATITUDE)[0], np.diff(LONGITUDE)[0]
    fine = some.isel(latitude=np.arange(24).repeat(2), longitude=np.arange(36).repeat(2)).assign_coords(
        latitude=(LATITUDE[:, None] + steps[0] * np.array([-0.25, 0.25])).ravel(),
        longitude=(LONGITUDE[:, None] + steps[1] * np.array([-0.25, 0.25])).ravel())
    with pytest.raises(Exception, match=r"the grid of the dataset has 48 x 72 from .* give regrid=True"):
        model.reconstruct(fine)
    for name in VARIABLES:
        np.testing.assert_allclose(model.reconstruct(fine, regrid=True)[name], model.reconstruct(some)[name], rtol=1e-4,
                                   atol=1e-3)  # fmt: skip


def test_stations_report_at_the_nearest_step(model, tmp_path):
    table = "lat;lon;time;2m_temperature\n50,2;8,1;2001-02-03T11:20Z;280,5\n50,2;8,1;2001-02-03T12:40Z;281,5\n"
    (tmp_path / "stations.csv").write_text(table)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = model.observations(tmp_path / "stations.csv")
    np.testing.assert_array_equal(made.time, [np.datetime64("2001-02-03T12")])
    row, column = np.abs(LATITUDE - 50.2).argmin(), np.abs(LONGITUDE - 8.1).argmin()
    assert float(made["2m_temperature"][0, row, column]) == 281 and int(made["2m_temperature"].notnull().sum()) == 1
