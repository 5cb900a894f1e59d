"""Training on data as users have it: with gaps, seen by stations only, with errors of its own."""

import numpy as np
import pandas as pd
import pytest
import torch

from sparta_core.__main__ import main
from sparta_core.errors import DataError, RunError
from sparta_core.tasks.forecast import trained_forecaster
from sparta_core.tasks.forecast.scores import forecast_scores
from sparta_core.tasks.reconstruction.scores import model_reconstruction
from sparta_core.training.records import open_record, views_of
from tests.conftest import made_up_weather
from tests.stages import STAGES


@pytest.fixture
def gappy(tmp_path):
    """Two days absent, one variable without values over a part of the globe, another for a month."""
    days = made_up_weather()
    days["specific_humidity"][:, :4, :9] = np.nan
    days["u_component_of_wind"][200:230] = np.nan
    days.drop_isel(time=[50, 51]).to_netcdf(tmp_path / "gappy.nc", engine="h5netcdf")
    return str(tmp_path / "gappy.nc")


@pytest.fixture
def one_epoch(tiny):
    def make(**changes):
        stages = ("autoencoder", "pretrain", "blend", "decoder", "forecast")
        return tiny(mask_grid="native", **{f"{stage}_epochs": 1 for stage in stages}, **changes)

    return make


def test_declared_gaps_train_every_stage_and_are_never_taken_for_values(gappy, one_epoch):
    experiment = one_epoch(data=gappy, gaps=True)
    record = open_record(experiment)
    assert record.values[50:52].isnan().all() and record.time[50] == np.datetime64("2001-02-20")
    for stage in ("autoencoder", "decoder"):
        model = STAGES[stage](experiment)
        assert all(value.isfinite().all() for value in model.state_dict().values())
    trained_forecaster(experiment, 0)
    errors = model_reconstruction(experiment, ratios=(0.5,), days=8).mse
    days = record.take(torch.arange(200, 208))
    assert not days.observed[:, 1].any() and days.observed[:, 0].all()
    shown = views_of(experiment).shown(days)
    np.testing.assert_array_equal(shown[:, 1].abs().max(), 0.0)
    assert errors.dims == ("mask_grid", "ratio") and errors.mask_grid.values.tolist() == ["native"]
    assert np.isfinite(errors).all()
    with pytest.raises(DataError, match="have gaps, and no climatology without whole days"):
        forecast_scores({"SPARTA": experiment})


def test_gaps_that_are_not_declared_stop_before_anything_is_trained(gappy, one_epoch, tmp_path):
    with pytest.raises(DataError, match=r"time in .*gappy\.nc has no 2001-02-20 and 1 more days.*\(2 more errors\)"):
        STAGES["autoencoder"](one_epoch(data=gappy))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("settings", [
    {"sparsity": "swaths"}, {"sparsity": "blocks", "block_size": 4}, {"variable_dropout": 0.3},
    {"noise": 0.2, "noise_length": 2000.0}])  # fmt: skip
def test_every_kind_of_sparsity_trains(one_epoch, settings):
    model = STAGES["decoder"](one_epoch(**settings))
    assert all(value.isfinite().all() for value in model.state_dict().values())


def test_other_stations_are_another_model(one_epoch, tmp_path):
    path = tmp_path / "stations.csv"
    pd.DataFrame({"lat": [50.0, -20], "lon": [8.0, 130]}).to_csv(path, index=False)
    experiment = one_epoch(sparsity="stations", stations=str(path))
    STAGES["autoencoder"](experiment)
    pd.DataFrame({"lat": [50.0, -20], "lon": [8.0, 140]}).to_csv(path, index=False)
    with pytest.raises(RunError, match="was trained on other days"):
        STAGES["autoencoder"](experiment)


def test_the_command_says_what_is_odd(one_epoch, flags, tmp_path, capsys):
    days = made_up_weather()
    days["geopotential"][8] = days["geopotential"][7]
    days.to_netcdf(tmp_path / "days.nc", engine="h5netcdf")
    main([*flags(one_epoch(data=str(tmp_path / "days.nc"))), "--cost", "autoencoder"])
    said = capsys.readouterr().out
    assert said.startswith("warning: geopotential on 2001-01-09 is what it was on 2001-01-08, number for number\n")
