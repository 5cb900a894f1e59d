"""A model is a file: used in another folder, without the days, on anybody's data, with the same bits."""

import json
import os
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
import xarray as xr
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from sparta_core import DataError, ExperimentError, Model, RunError, load, open_record
from sparta_core.__main__ import main
from sparta_core.tasks.embeddings import decode, embed
from sparta_core.tasks.forecast import trained_forecaster
from sparta_core.training.records import run_of
from sparta_core.training.stages import representation
from tests.conftest import made_up_weather
from tests.linear import GLOBE

DAYS = slice(560, 566)


@pytest.fixture(scope="module")
def experiment(globe):
    return globe(classifier="date")


@pytest.fixture(scope="module")
def model(experiment):
    return Model.of(experiment)


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    return model.save(tmp_path_factory.mktemp("elsewhere") / "model.safetensors")


@pytest.fixture(scope="module")
def days():
    """Days that are in no record: another year, and a share of 0.7 of their values missing."""
    made = made_up_weather(days=600, seed=5).isel(time=DAYS).load()
    made["time"] = made.time + np.timedelta64(9131, "D")
    observed = np.random.default_rng(0)
    return made.map(lambda field: field.where(observed.random(field.shape) < 0.3), keep_attrs=True)


def everything(model, days):
    forecasts = {"forecast": model.forecast(days, leads=4), "ensemble": model.forecast(days, leads=4, members=3)}
    others = {"embed": model.embed(days), "reconstruct": model.reconstruct(days), "season": model.season(days)}
    return forecasts | others


def test_a_loaded_model_gives_the_same_bits_without_the_days(model, path, days, tmp_path):
    """In another process and folder, where neither runs nor data can be found."""
    here = tmp_path / "far"
    here.mkdir()
    shutil.copy(path, here / "model.safetensors")
    days.to_netcdf(here / "days.nc", engine="h5netcdf")
    script = (
        "import sparta_core.data.days as days, sparta_core.data.record as record\n"
        "def gone(*_): raise AssertionError('the days were asked for')\n"
        "record.load_record = days.read_days = gone\n"
        "from sparta_core import load\n"
        "from tests.test_model_file import everything\n"
        "import xarray as xr\n"
        "made = everything(load('model.safetensors', 'cpu'), xr.open_dataset('days.nc'))\n"
        "[dataset.to_netcdf(f'{name}.nc', engine='h5netcdf') for name, dataset in made.items()]\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-c", script], cwd=here, env=environment, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(file.name for file in here.iterdir() if file.suffix != ".nc") == ["model.safetensors"]
    for name, expected in everything(model, days).items():
        made = xr.load_dataset(here / f"{name}.nc")
        for variable in expected:
            assert np.isfinite(expected[variable].values).all()
            np.testing.assert_array_equal(made[variable].values, expected[variable].values, err_msg=name)


def test_the_file_holds_tensors_and_words_and_every_tensor_once(path, experiment):
    with safe_open(path, "pt") as file:
        about = json.loads(json.loads(json.dumps(file.metadata()))["sealed"])
    tensors = load_file(path)
    large = [name for name, x in tensors.items() if x.numel() >= 24 * 5 * 16 * 32]
    errors = [f"forecast.calibration.{ratio}.errors" for ratio in (0.0, 0.7)]
    assert large == [*errors, "modes.correlation", "modes.patterns"]
    assert all(tensors[name].dtype == torch.float16 for name in large)
    assert path.stat().st_size < 1.02 * sum(x.nbytes for x in tensors.values()) + 40000
    told = json.dumps(about)
    for word in (*experiment.variables, "m s-1", "0.1.0", "850"):
        assert word in told
    assert os.path.dirname(experiment.data) not in told and os.path.basename(experiment.data) in told


def test_its_card_says_what_it_is_of(path, experiment):
    card = path.with_suffix(".md").read_text()
    for words in ("# model.safetensors", "2m_temperature (K)", "at 850 hPa", "360 days from 2001-01-01 to 2001-12-26",
                  "`forecaster`: 'dynamics'", "Licence of the data", "load('model.safetensors')"):  # fmt: skip
        assert words in card


def test_a_runs_file_of_a_representation_is_a_model_and_says_what_it_lacks(experiment, model, days, tmp_path):
    run = run_of(experiment, experiment.representation)
    loaded = load(run.path("model.safetensors"), "cpu")
    exact, half = loaded.reconstruct(days), model.reconstruct(days)
    for name, std in zip(exact, loaded.sparta.normaliser.std.tolist(), strict=True):  # what half precision changes
        assert 0 < float(abs(exact[name] - half[name]).max()) < 5e-3 * std
    again = load(loaded.save(tmp_path / "again.safetensors"), "cpu")
    xr.testing.assert_identical(again.reconstruct(days), exact)
    with pytest.raises(ExperimentError, match=r"^this model holds no forecast, only the representation; save it with"):
        loaded.forecast(days)


def spoilt(path, tmp_path, change):
    broken = tmp_path / "broken.safetensors"
    change(path, broken)
    with pytest.raises(RunError) as raised:
        load(broken, "cpu")
    assert "\n" not in str(raised.value) and str(broken) in str(raised.value)
    return str(raised.value)


def cut(path, broken):
    broken.write_bytes(path.read_bytes()[:-100])


def changed(path, broken):
    content = bytearray(path.read_bytes())
    content[-50] ^= 1
    broken.write_bytes(content)


def without_seal(path, broken):
    save_file(load_file(path), broken)


def resealed(**words):
    def change(path, broken):
        from sparta_core.tensors import packed, unpacked

        tensors, about = unpacked(path)
        broken.write_bytes(packed(tensors, {**about, **words}))

    return change


@pytest.mark.parametrize(("change", "words"), [
    (cut, "is damaged"), (changed, "is damaged"), (without_seal, "is damaged"),
    (resealed(format=0), "is no model that this version of sparta-core can read"),
    (resealed(experiment={"colour": "red"}, version="9.9"), "was saved by sparta-core 9.9, whose settings"),
    (resealed(experiment={"variables": ["geopotential"], "preset": "paper"}), "its variables are 2m_temperature"),
    (resealed(parts=["encoder", "projector", "decoder"]), "is damaged"),
])  # fmt: skip
def test_a_file_that_is_no_such_model_gets_one_sentence(path, tmp_path, change, words):
    assert words in spoilt(path, tmp_path, change)


def test_a_model_of_stations_needs_their_table_no_more(tiny, days, tmp_path):
    table = tmp_path / "stations.csv"
    table.write_text("lat,lon\n" + "".join(f"{lat},{lon}\n" for lat in range(-80, 90, 20) for lon in range(0, 360, 30)))
    model = Model.of(tiny(objective="autoencoder", autoencoder_epochs=1, mask_grid="native", sparsity="stations",
                          stations=str(table)), [])  # fmt: skip
    path, expected = model.save(tmp_path / "model.safetensors"), model.reconstruct(days)
    table.unlink()
    xr.testing.assert_identical(load(path, "cpu").reconstruct(days), expected)


def test_no_file_and_no_room_get_one_sentence(model, tmp_path):
    with pytest.raises(RunError, match="there is no model at"):
        load(tmp_path / "nowhere.safetensors")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot write .*; choose another folder"):
        model.save(tmp_path / "file" / "model.safetensors")


def own_days(record, days):
    """Days of the record as a user has them: whole, in physical units."""
    sample = record.take(days)
    fields = record.physical(sample.values, sample.dates).numpy()
    return xr.Dataset({name: (("time", "latitude", "longitude"), fields[:, c], {"units": units}) for c, (name, units)
                       in enumerate(zip(record.variables, record.units, strict=True))},
                      {"time": record.dates(days), "latitude": record.latitude,
                       "longitude": record.longitude})  # fmt: skip


def test_forecasts_of_the_records_days_are_those_that_are_scored(experiment, model):
    """The same look-backs, through the record and through xarray."""
    record, sparta, forecaster = open_record(experiment), representation(experiment), trained_forecaster(experiment, 0)
    days = range(540, 546)
    z = embed(sparta, record.take(days))
    past = torch.stack([z[1:4], z[2:5], z[3:6]])
    dates = record.dates(days)[3:]
    expected = decode(sparta, forecaster.forecasts(past, dates, 5, 0.0))
    expected = record.physical(expected, record.dates_ahead(dates, 5)).numpy()
    made = model.forecast(own_days(record, days), leads=5, every=1).isel(init_time=slice(1, None))
    for c, name in enumerate(record.variables):
        spread = float(record.std[c])
        np.testing.assert_allclose(made[name].values / spread, expected[:, :, c] / spread, atol=5e-3)


def test_forecasts_are_as_weatherbench_x_reads_them(model, days, tmp_path):
    made = model.forecast(days, leads=4, members=3)
    made.to_netcdf(tmp_path / "forecast.nc", engine="h5netcdf")
    again = xr.open_dataset(tmp_path / "forecast.nc", decode_timedelta=True)
    field = again["geopotential"]
    assert field.dims == ("init_time", "lead_time", "number", "latitude", "longitude")
    assert field.dtype == np.float32 and field.attrs["standard_name"] == "geopotential"
    assert again.lead_time.dtype.kind == "m" and again.init_time.dtype.kind == "M"
    assert (again.lead_time.values / np.timedelta64(1, "D")).tolist() == [1, 2, 3, 4]
    assert again.init_time.values[0] == days.time.values[-1]
    assert again.attrs["Conventions"].startswith("CF-") and again.attrs["level"] == 850
    assert again.latitude.attrs["units"] == "degrees_north"


def test_members_vary_around_the_forecast_and_a_seed_repeats_them(model, days):
    alone = model.forecast(days, leads=3)
    first, again, other = (model.forecast(days, leads=3, members=40, seed=seed) for seed in (0, 0, 1))
    xr.testing.assert_identical(first, again)
    assert not np.array_equal(first.geopotential, other.geopotential)
    for name in alone.data_vars:
        spread = first[name].std("number")
        assert (spread.mean(("latitude", "longitude")) > 0).all()
        away = abs(first[name].mean("number") - alone[name]) / (spread / 40**0.5)
        assert float(away.mean()) < 1.5  # 0.8 for draws that are independent at every place


def test_a_long_sparse_series_is_forecast_from_every_day_with_a_look_back(model, days):
    long = xr.concat([days.assign_coords(time=days.time + np.timedelta64(6 * k, "D")) for k in range(7)], "time")
    made = model.forecast(long, leads=2, every=1)
    assert made.sizes["init_time"] == 42 - 2
    gap = long.drop_isel(time=20)
    made = model.forecast(gap, leads=2, every=1)
    lost = np.setdiff1d(long.time.values[2:], made.init_time.values)
    assert (lost == long.time.values[20:23]).all()  # it, and the two whose look-back it is in
    last = model.forecast(long, leads=2)
    xr.testing.assert_allclose(last, model.forecast(long.isel(time=slice(-3, None)), leads=2), atol=1e-3)
    with pytest.raises(DataError, match=r"takes 3 days in a row, and the dataset has 2 up to 20.*; give 20\d\d-"):
        model.forecast(long.drop_isel(time=-3), leads=2)
    with pytest.raises(DataError, match="has no coordinate time of dates"):
        model.forecast(days.isel(time=0).drop_vars("time"))


@pytest.mark.parametrize("calendar, start", [
    ("noleap", "2004-02-10"), ("360_day", "2004-02-10"), ("360_day", "2004-07-01"), ("all_leap", "2004-12-20")])
def test_days_follow_each_other_on_their_own_calendar(model, days, calendar, start):
    """29 February, which noleap has not; dates that 360 days of a year leave out; two of 366 that fall on one."""
    times = xr.date_range(start, periods=42, calendar=calendar, use_cftime=True)
    long = xr.concat([days] * 7, "time").assign_coords(time=times)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the dataset has 1 to 2 moments a date")
        whole = model.forecast(long, leads=1, every=1, quality_control=False).init_time
        gap = model.forecast(long.drop_isel(time=20), leads=1, every=1, quality_control=False).init_time
    assert whole.size == 42 - 2 - (calendar == "all_leap")
    np.testing.assert_array_equal(np.setdiff1d(whole, gap), whole[18 - (calendar == "all_leap") :][:3])


def test_wrong_numbers_get_one_sentence(model, days):
    for options in ({"leads": 0}, {"leads": 2.5}, {"members": 0}, {"every": -1}):
        name, value = next(iter(options.items()))
        with pytest.raises(ExperimentError, match=rf"^{name} is {value}; it must be a whole number above 0"):
            model.forecast(days, **options)


def test_the_climatology_of_a_date_long_after_the_record_is_reconstructed_from_a_day_that_is_just_that(experiment,
                                                                                                        model):
    """An anomaly of 0 is an embedding of 0 but for what the small network adds: on 2050-07-01 as on any 1 July."""
    record = open_record(experiment)
    date = np.array(["2050-07-01"], "datetime64[D]")
    fields = record.physical(torch.zeros(1, 5, 16, 32), date).numpy()
    phase = 2 * np.pi * (date - np.datetime64(0, "D"))[0].astype(int) / 365.2425 * np.arange(1, 4)
    basis = np.concatenate([[1.0], np.sin(phase), np.cos(phase)])
    expected = np.tensordot(basis, record.climatology.double().numpy(), 1) * record.std.numpy()[:, None, None]
    np.testing.assert_allclose(fields[0], expected + record.mean.numpy()[:, None, None], rtol=1e-4, atol=1e-4)
    day = own_days(record, range(1)).isel(time=slice(0, 1)).assign_coords(time=date)
    day = day.copy(data={name: fields[:, c] for c, name in enumerate(record.variables)})
    made = model.reconstruct(day)
    for c, name in enumerate(record.variables):
        assert float(abs(made[name] - day[name]).max()) < 0.2 * float(record.std[c])


def test_the_command_line_makes_of_files_what_the_model_makes(model, path, days, tmp_path, capsys):
    source = tmp_path / "days.nc"
    days.to_netcdf(source, engine="h5netcdf")
    for words, expected in ((["forecast", "--leads", "3", "--members", "2"], model.forecast(days, leads=3, members=2)),
                            (["reconstruct"], model.reconstruct(days)), (["embed"], model.embed(days)),
                            (["season"], model.season(days))):  # fmt: skip
        output = tmp_path / f"{words[0]}.nc"
        main([*words, "--model", str(path), "--input", str(source), "--output", str(output), "--device", "cpu"])
        assert f"{output} is ready" in capsys.readouterr().out
        made = xr.load_dataset(output, decode_timedelta=True)
        for name in expected:
            np.testing.assert_array_equal(made[name].values, expected[name].values)


def test_the_command_line_takes_a_table_of_stations(path, tmp_path):
    table = tmp_path / "stations.csv"
    table.write_text("lat,lon,time,2m_temperature\n" + "".join(
        f"{lat},{lon},2030-03-0{day},{280 + day}\n" for day in (1, 2, 3) for lat in (-40, 0, 40) for lon in (10, 200)))
    main(["forecast", "--model", str(path), "--input", str(table), "--output", str(tmp_path / "out.nc"), "--device",
          "cpu"])  # fmt: skip
    made = xr.load_dataset(tmp_path / "out.nc", decode_timedelta=True)
    assert str(made.init_time.values[0])[:10] == "2030-03-03" and made.sizes["lead_time"] == 10


@pytest.mark.parametrize(("words", "sentence"), [
    (["embed", "--model", "{path}", "--input", "{days}", "--output", "out.csv"], "must be the path of a NetCDF file"),
    (["embed", "--model", "{days}", "--input", "{days}", "--output", "out.nc"], "is damaged"),
    (["embed", "--model", "nowhere", "--input", "{days}", "--output", "out.nc"], "there is no model at nowhere"),
    (["embed", "--model", "{path}", "--input", "nowhere.nc", "--output", "out.nc"], "there is no data at nowhere.nc"),
    (["melt", "--model", "{path}", "--input", "{days}", "--output", "out.nc"], "task is 'melt'"),
    (["diffusion", "--model", "{path}", "--input", "{days}", "--output", "out.nc"], "makes nothing of days"),
    (["embed", "--model", "{path}", "--input", "{days}", "--output", "out.nc", "--leads", "3"], "there is no flag"),
])  # fmt: skip
def test_a_wrong_word_ends_in_one_sentence(path, days, tmp_path, words, sentence):
    source = tmp_path / "days.nc"
    days.to_netcdf(source, engine="h5netcdf")
    with pytest.raises(SystemExit) as ended:
        main([word.format(path=path, days=source) for word in words])
    assert sentence in str(ended.value) and "\n" not in str(ended.value)


def test_export_trains_what_is_missing_and_says_the_size(experiment, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules["sparta_core.experiment"].PRESETS, "globe",
                        {**{name: value for name, value in experiment.given.items()
                            if name not in ("preset", "runs", "data")}, **GLOBE})  # fmt: skip
    output = tmp_path / "own.safetensors"
    main(["export", "--preset", "globe", "--data", experiment.data, "--runs", str(tmp_path / "runs"), "--tasks",
          "forecast", "--output", str(output)])  # fmt: skip
    said = capsys.readouterr().out
    assert f"{output} is ready, {output.stat().st_size / 1e6:.1f} MB" in said
    assert list(load(output, "cpu").state) == ["forecast"]
