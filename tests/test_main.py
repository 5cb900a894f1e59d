"""`python -m sparta_core`: what a command trains, what it says beforehand, and how it takes bad input."""

import itertools

import pytest

from sparta_core import __main__ as command
from sparta_core.evaluation import plan
from sparta_core.training import fit as fitting
from sparta_core.training.records import run_of
from tests.stages import STAGES

SETTINGS = {"autoencoder_epochs": 1, "pretrain_epochs": 2, "blend_epochs": 1, "decoder_epochs": 1, "forecast_epochs": 1}


@pytest.mark.parametrize(("objective", "names", "expected"), [
    ("contrastive", ["forecast"], ["pretrain", "blend", "decoder", "forecast"]),
    ("contrastive", ["blend"], ["pretrain", "blend"]),
    ("autoencoder", ["classification", "diffusion"], ["autoencoder", "classification", "diffusion"]),
    ("contrastive", ["decoder", "autoencoder"], ["pretrain", "blend", "decoder", "autoencoder"]),
])
def test_what_is_needed_comes_first(tiny, objective, names, expected):
    assert tiny(objective=objective).ancestry(*names) == expected


def test_it_trains_what_it_says_and_goes_on(tiny, capsys, flags):
    experiment = tiny(**SETTINGS)
    command.main([*flags(experiment), "pretrain"])
    said = capsys.readouterr().out
    run = run_of(experiment, "pretrain")
    assert said.startswith(f"{run.folder.name}: 360 days, 9 steps an epoch, 2 epochs: about ")
    assert "In all about" in said and "pretrain: epoch 2/2" in said
    command.main([*flags(experiment), "forecast"])
    said = capsys.readouterr().out
    told = [line.split("-")[0] for line in said.splitlines() if "days," in line]
    assert told == ["blend", "decoder", "forecast"] and "pretrain: epoch" not in said
    assert run_of(experiment, "forecast", "-seed0").finished
    command.main([*flags(experiment), "forecast"])
    assert capsys.readouterr().out == "All of it is trained.\n"


def test_what_it_trains_is_what_a_notebook_trains(tiny, tmp_path, flags):
    """Timing first steps must leave no trace: the same bits as without."""
    mine, theirs = tiny(**SETTINGS, runs=str(tmp_path / "a")), tiny(**SETTINGS, runs=str(tmp_path / "b"))
    command.main([*flags(mine), "pretrain"])
    made, expected = (STAGES["pretrain"](one).state_dict() for one in (mine, theirs))
    assert all(made[key].equal(expected[key]) for key in expected)


def test_flags_may_stand_between_stages(tiny, capsys, flags):
    experiment = tiny(**SETTINGS)
    command.main(["pretrain", *flags(experiment), "--cost", "autoencoder"])
    assert [line.split("-")[0] for line in capsys.readouterr().out.splitlines()[:2]] == ["pretrain", "autoencoder"]


@pytest.mark.parametrize("name", ["pretrain", "diffusion"])
def test_a_target_that_cannot_be_written_is_one_sentence(tiny, tmp_path, flags, name):
    """A file where the runs' folder should be: nobody may write there, not even root."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(SystemExit, match=r"cannot write .*taken.* \(Not a directory\); free space or make") as error:
        command.main([*flags(tiny(**SETTINGS, runs=str(tmp_path / "taken" / "runs"))), name])
    assert "\n" not in str(error.value.code)


def test_cost_only_writes_nothing(tiny, tmp_path, capsys, flags):
    command.main([*flags(tiny(**SETTINGS)), "--cost", "decoder", "diffusion"])
    assert len(capsys.readouterr().out.splitlines()) == 5
    assert not (tmp_path / "runs").exists()


def test_the_time_of_an_epoch_is_the_sum_of_its_parts(tiny, monkeypatch):
    """A clock that ticks once a reading makes every timed part one second long."""
    experiment = tiny(**SETTINGS)
    job = plan._jobs(experiment, "pretrain")[0][1]()
    monkeypatch.setattr(fitting.time, "perf_counter", itertools.count().__next__)
    steps, seconds = fitting.timed_epoch(job)
    held_out = len(job.objective.batches("validation", fitting.torch.Generator()))
    assert steps == len(job.objective.batches("train", fitting.torch.Generator()))
    assert seconds == steps + held_out + 2  # and both parts' days in order


def test_epochs_that_are_done_cost_nothing(tiny, monkeypatch, flags):
    experiment = tiny(**SETTINGS | {"pretrain_epochs": 5})
    plain = fitting._Loop._close_epoch

    def stop_after_two(loop, *losses):
        plain(loop, *losses)
        if loop.state.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(fitting._Loop, "_close_epoch", stop_after_two)
    with pytest.raises(SystemExit, match="the same command goes on"):
        command.main([*flags(experiment), "pretrain"])
    assert [cost.epochs for cost in plan.costs(experiment, ["pretrain"])] == [3]


@pytest.mark.parametrize(("words", "message"), [
    (["--fusion", "late", "pretrain"], "fusion is 'late'; choose one of"),
    (["--width", "wide", "pretrain"], "width is 'wide'; it must be of type int"),
    (["--data", "nowhere.zarr", "pretrain"], "nowhere.zarr"),
    (["--fussion", "gnn", "decoder"], r"^there is no flag --fussion \(did you mean --fusion\?\); --help lists all$"),
    (["decoder", "--fussion", "gnn"], r"^there is no flag --fussion \(did you mean --fusion\?\); --help lists all$"),
    (["--fussion=gnn", "decoder"], r"^there is no flag --fussion \(did you mean --fusion\?\)"),
    (["-fusion", "gnn", "decoder"], r"^there is no flag -fusion \(did you mean --fusion\?\)"),
    (["decoder", "--foo"], "^there is no flag --foo; --help lists all$"),
    (["audit", "--levle", "500", "bundled"], r"^there is no flag --levle \(did you mean --level\?\)"),
    (["prepare", "--resolutoin", "5"], r"^there is no flag --resolutoin \(did you mean --resolution\?\)"),
    (["targets", "again"], "^'again' is one word too many"),
    (["--seed", "1", "decodr"], r"^stage is 'decodr'; choose one of: pretrain, .* \(did you mean decoder\?\)$"),
    (["prepair", "--years", "1999"], r"^stage or command is 'prepair'; .* \(did you mean prepare\?\)$"),
    (["--preset", "demmo", "decoder"], r"^preset is 'demmo'; choose one of: paper, .* \(did you mean demo\?\)$"),
    (["--runs", "", "decoder"], "^runs is ''; it must be the path of a folder$"),
    (["--runs", " ", "decoder"], "^runs is ' '; it must be the path of a folder$"),
    (["targets", "--runs", ""], "^runs is ''; it must be the path of a folder$"),
    (["--data", "", "decoder"], "^data is ''; it must be 'bundled', or the path of a store or file$"),
    (["targets", "--data", ""], "^data is ''; it must be 'bundled', or the path of a store or file$"),
    (["targets", "--seeds", "0,x"], "^seeds is '0,x'; it must be whole numbers with commas between them, such as 0,1"),
])
def test_bad_input_gets_one_sentence(words, message):
    """Before anything is read or trained, whatever else the words say."""
    with pytest.raises(SystemExit, match=message) as error:
        command.main(words)
    assert "\n" not in str(error.value.code)


@pytest.mark.parametrize(("name", "text", "value"), [
    ("seed", "3", 3), ("hard_negatives", "false", False), ("days", "null", None), ("fusion", "gnn", "gnn"),
    ("view_size", "64,128", [64, 128]), ("forecast_seeds", "7", [7]), ("variables", "geopotential", ["geopotential"]),
    ("edges", '[["a", "b"]]', [["a", "b"]]), ("blend_rate", "1e-4", 1e-4),
])  # fmt: skip
def test_flags_say_what_json_says(name, text, value):
    assert command._value(name, text) == value
