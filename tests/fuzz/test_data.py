"""Broken files and datasets at every public entry: one sentence of ours, and nothing changed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from sparta_core import __main__ as command
from sparta_core.data.era5 import prepare
from sparta_core.data.record import load_record
from sparta_core.errors import SpartaError
from sparta_core.experiment import Experiment
from sparta_core.model import Model
from tests.fuzz.broken import datasets, files, stations

pytestmark = pytest.mark.filterwarnings("ignore")  # what libraries say of a broken file is not at stake


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> list[tuple[str, Path]]:
    return list(files(tmp_path_factory.mktemp("corpus") / "files"))


def contents(path: Path) -> dict[Path, bytes]:
    paths = path.rglob("*") if path.is_dir() else [path]
    return {part: part.read_bytes() for part in paths if part.is_file()}


def refused(entry: Callable[[], object], what: str) -> bool:
    """Whether `entry` refuses it, in one sentence of ours; another exception fails."""
    try:
        entry()
    except SpartaError as error:
        assert str(error) and "\n" not in str(error) and len(str(error)) < 2000, what
        return True
    except Exception as error:
        pytest.fail(f"{what}: {type(error).__name__}: {error}")
    return False


def experiment(path: Path | str) -> Experiment:
    return Experiment(data=str(path), split=(0.5, 0.2), downstream_split=(0.4, 0.3))


def test_the_corpus_has_more_than_300_inputs(corpus):
    assert len({name for name, _ in corpus}) + len(list(datasets())) + len(list(stations())) > 300


def test_broken_files_are_refused_by_load_record_and_stay_as_they_are(corpus):
    counts = {True: 0, False: 0}
    for name, path in corpus:
        before = contents(path)
        found = []
        counts[refused(lambda: found.append(load_record(experiment(path))), name)] += 1  # noqa: B023
        assert all(torch.isfinite(record.values).all() for record in found), name
        assert contents(path) == before, name
    assert counts[True] > 0.8 * len(corpus) and counts[False]  # some are no more than odd


def test_broken_stores_are_refused_by_prepare_and_leave_no_store(corpus, tmp_path):
    for index, (name, path) in enumerate(pair for pair in corpus if pair[1].suffix == ".zarr"):
        before, target = contents(path), tmp_path / f"{index}.zarr"
        assert refused(lambda: prepare(str(path), target), name) != target.exists()  # noqa: B023
        assert contents(path) == before, name


def test_broken_files_end_the_audit_with_status_1(corpus, capsys):
    for name, path in corpus[::7]:
        try:
            command.main(["audit", str(path)])
        except SystemExit as ended:
            assert ended.code, name
        except Exception as error:
            pytest.fail(f"{name}: {type(error).__name__}: {error}")
    assert "Traceback" not in capsys.readouterr().err


def test_broken_datasets_are_refused_by_embed_and_reconstruct(tiny, write_weather):
    path = write_weather(rows=4, columns=8)
    model = Model.of(tiny(data=str(path), objective="autoencoder", autoencoder_epochs=1), [])
    refusals = 0
    for name, dataset in datasets():
        before = dataset.copy(deep=True)
        made: list = []
        refusals += refused(lambda: made.append(model.embed(dataset)), name)  # noqa: B023
        refused(lambda: made.append(model.reconstruct(dataset)), name)  # noqa: B023
        assert all(np.isfinite(field).all() for one in made for field in one.data_vars.values()), name
        assert before.identical(dataset), name
    assert refusals > 20


def test_broken_station_lists_are_refused(tiny, weather, tmp_path):
    model = Model.of(tiny(data=str(weather), objective="autoencoder", autoencoder_epochs=1), [])
    for index, (name, content) in enumerate(stations()):
        path = tmp_path / f"{index}.csv"
        path.write_bytes(content)
        assert refused(lambda: model.observations(str(path)), name), name  # noqa: B023
        assert path.read_bytes() == content


def test_nothing_in_a_file_is_run(tmp_path, monkeypatch):
    """A pickle that would write a file is not unpickled, whatever it is called."""
    bomb = b"cbuiltins\nexec\n(S'open(\"ran\", \"w\")'\ntR."
    monkeypatch.chdir(tmp_path)
    for name in ("days.nc", "days.zarr", "days.pkl", "days.npy"):
        (tmp_path / name).write_bytes(bomb)
        assert refused(lambda: load_record(experiment(name)), name)  # noqa: B023
        assert refused(lambda: prepare(name, tmp_path / "made.zarr"), name)  # noqa: B023
    assert not (tmp_path / "ran").exists()
