"""What the benchmarks measure is what they say, and the command prints and records it."""

import pytest
import torch
from torch import nn

from benchmarks import __main__ as command
from benchmarks import memory, preparing, throughput
from benchmarks.compiled import measured
from benchmarks.forecast import OurEpoch
from benchmarks.memory import Case, Found
from benchmarks.ours import STAGES, EpochOfViews, TrainingStep
from benchmarks.per_sample import TRAINS
from benchmarks.report import Goal, Row, parsed
from benchmarks.setting import Setting, noise_record, setting_for
from benchmarks.steps import Duel
from benchmarks.timing import Spread
from sparta_core.experiment import Experiment


@pytest.fixture
def small(tiny):
    return tiny(batch_size=6)


@pytest.mark.parametrize("stage", STAGES)
def test_a_step_trains_its_stage_and_counts_its_operations(small, stage):
    step = TrainingStep(small, stage, noise_record(small, 3, (16, 32)))
    before = {name: [p.clone() for p in part.parameters()] for name, part in step.objective.modules.items()}
    once, twice = step.flops(), step.flops()
    assert once == twice > 0
    for name, part in step.objective.modules.items():
        moved = any(not torch.equal(a, b) for a, b in zip(before[name], part.parameters(), strict=True))
        assert moved == (name in TRAINS[stage]), name


@pytest.mark.parametrize("stage", STAGES)
def test_a_step_is_taken_by_the_optimisers_of_training(small, stage):
    """One Adam at the rate of the stage; where an objective has several, each steps in its turn."""
    step = TrainingStep(small.replace(**{f"{stage}_rate": 0.25}), stage, noise_record(small, 3, (16, 32)))
    assert {name: each.defaults["lr"] for name, each in step.optimisers.items()} == {"adam": 0.25}
    weight, taken = nn.Parameter(torch.ones(1)), []
    step.optimisers = {name: torch.optim.SGD([weight], rate) for name, rate in (("first", 0.5), ("second", 0.25))}

    def steps(batch, epoch, generator):
        for name in step.optimisers:
            taken.append((name, weight.item()))
            yield name, {"loss": weight.square().sum()}

    step.objective.steps = steps
    step()
    assert taken == [("first", 1.0), ("second", 0.0)] and weight.item() == 0.0  # 1 - 0.5 * 2, from where nothing moves


def test_a_forecasters_epoch_trains_it_alone(small):
    """As training would: at its own rate and weight decay."""
    experiment = small.replace(look_back=4, forecast_rate=0.125, forecast_weight_decay=0.5)
    epoch = OurEpoch(experiment, noise_record(experiment, 3, (16, 32)))
    (forecaster,) = (epoch.objective.modules[name] for name in epoch.objective.trains)
    (adam,) = epoch.optimisers.values()
    assert (adam.defaults["lr"], adam.defaults["weight_decay"]) == (0.125, 0.5)
    before = [p.clone() for p in forecaster.parameters()]
    epoch()
    assert all(not torch.equal(a, b) for a, b in zip(before, forecaster.parameters(), strict=True))


def test_a_step_counts_a_forward_pass_about_three_times(small):
    """Once forward, twice backward, but the views need no gradient."""
    step, forward = TrainingStep(small, "pretrain", noise_record(small, 3, (16, 32))), []

    def count(module, inputs, output):
        forward.append(2 * output.numel() * module.weight[0].numel())

    for part in step.objective.modules.values():
        for module in part.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.register_forward_hook(count)
    counted = step.flops()
    assert 2.5 * sum(forward) < counted < 3.1 * sum(forward)


def test_a_duel_times_the_step_and_the_whole_pipeline(small):
    setting = Setting("cpu", batch=6, rounds=2, repeats=1)
    duel = Duel(setting, small, "blend", noise_record(small, 3, (16, 32)))
    duel.workers = 2
    rows = list(duel.rows())
    assert [row.measured for row in rows] == [
        "early, stage 2; the plain step alone", "early, stage 2; views and step, 1 worker",
        "early, stage 2; views and step, 2 workers"]  # fmt: skip
    assert [row.goal for row in rows] == [None, Goal(10), Goal(10)]
    assert all(row.ratio.low > 0 for row in rows)


def test_an_epoch_of_views_is_nine_an_anchor(monkeypatch):
    experiment = Experiment(view_size=(8, 16), crop_from=(10, 20), device="cpu")
    ours = EpochOfViews(experiment, noise_record(experiment, 2, (8, 16)))
    shown = {"augmented": 0, "augmented_sparse": 0}
    for name in shown:
        def counted(days, generator, name=name):
            shown[name] += len(days)

        monkeypatch.setattr(ours.views, name, counted)
    ours.masked()
    assert shown == {"augmented": 3 * ours.anchors, "augmented_sparse": 6 * ours.anchors}
    ours.unmasked()
    assert shown["augmented"] == 12 * ours.anchors


def test_full_size_is_the_papers():
    """126 samples of 128, the paper's record, views and widths."""
    setting = setting_for("cuda")
    paper = Experiment.from_preset("paper")
    assert setting.anchors == 42 and setting.describe() == "the paper's sizes"
    assert setting.experiment(device="cpu", data=paper.data) == paper.replace(device="cpu")
    assert "12 samples" in setting_for("cpu").describe()


def test_growth_is_judged_by_the_grids_points(monkeypatch):
    """64x128 has 4 times the points of 32x64, 121x240 has 14.2 times."""
    seconds = {(32, 64): 1.0, (64, 128): 3.0, (121, 240): 20.0}
    monkeypatch.setattr(memory, "measured", lambda case: Found(100, 20, [seconds[case.grid]] * 3))
    cases = [Case("cpu", "32-true", "blend", 6, grid=grid) for grid in seconds]
    verdicts = [row.cells[4] for row in memory._growth("grid", cases, "grid")]
    assert verdicts == ["goal 4x at most: met (3x)", "", "goal 14.2x at most: missed (20x)", ""]


def test_a_case_is_measured_in_a_process_of_its_own():
    found = memory.measured(Case("cpu", "32-true", "decoder", 3, years=10))
    assert found.days == 10 * 365 * 5 * 32 * 64 * 4 < found.peak < 4e9
    assert len(found.seconds) == memory.ROUNDS and min(found.seconds) > 0


def test_a_compiled_encoder_is_timed_beside_itself(small, monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda module, mode: compiled.append((type(module).__name__, mode)))
    monkeypatch.setattr(Setting, "experiment", lambda _: small)
    row = measured(Setting("cpu", batch=6, rounds=2, repeats=1), "default", noise_record(small, 3, (16, 32)))
    assert compiled == [("ResNet18", "default")]
    assert row.ratio.low > 0 and "encoder compiled (default, " in row.measured


def test_the_command_prints_and_records(tmp_path, monkeypatch, capsys):
    rows = {"views": [Row("nine views", "8", "2", Spread(4, 3, 5))], "step": [Row("a step", "1")]}
    monkeypatch.setattr(command, "BENCHMARKS", {name: lambda _, name=name: iter(rows[name]) for name in rows})
    path = tmp_path / "RESULTS.md"
    command.main(["views", "--device", "cpu", "--results", str(path)])
    command.main(["step", "--device", "cpu", "--results", str(path)])
    (tables,) = parsed(path.read_text()).values()
    assert "| nine views | 8 | 2 | 4x (3 to 5) |  |" in tables["views"] and "| a step |" in tables["step"]
    assert "smaller than the paper" in tables["step"] and f"torch {torch.__version__}" in tables["step"]
    assert "| nine views | 8 | 2 | 4x (3 to 5) |  |" in capsys.readouterr().out


def test_all_that_a_gpu_is_asked_for_runs(tmp_path, monkeypatch):
    """The whole command as on a GPU, loaders and all, on a CPU and at toy sizes, but for processes of their own."""
    own, sizes = Setting.experiment, {"width": 4, "norm_groups": 2, "head": "flatten", "view_size": (16, 32),
                                      "crop_from": (18, 36), "smoothing": 3, "embedding": 32, "projection": 8,
                                      "soft_gap": 100, "diffusion_widths": (16,), "draws": 2, "diffusion_steps": 30,
                                      "quick_steps": 5, "forecast_hidden": 8, "precision": "32-true"}  # fmt: skip
    monkeypatch.setattr(Setting, "experiment", lambda self, **changes: own(self, **(sizes | changes)))
    monkeypatch.setattr(noise_record, "__defaults__", (3, (16, 32)))  # years and grid
    monkeypatch.setattr(memory, "measured", lambda case: Found(100, 20, [1.0] * memory.ROUNDS))
    monkeypatch.setattr(preparing, "measured", lambda years: preparing.Found(100, 20, 1.0))
    monkeypatch.setattr(throughput, "GRIDS", ((8, 16),))
    monkeypatch.setattr(nn.Module, "compile", lambda module, mode: None)
    setting = Setting("cpu", batch=12, rounds=1, repeats=1, forecast_years=3, forecast_batches=1, conditions=1,
                      diffusion_rounds=1)  # fmt: skip
    command.run(list(command.BENCHMARKS), setting, tmp_path / "RESULTS.md")
    (tables,) = parsed((tmp_path / "RESULTS.md").read_text()).values()
    assert list(tables) == list(command.BENCHMARKS)
    assert all(text.count("\n|") > 2 and "nan" not in text for text in tables.values())
    assert not list(throughput.throughput(setting_for("cuda")))  # a matter of the CPU's threads


def test_an_unknown_benchmark_is_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["view"])
    assert "no benchmark view; choose of views, step" in capsys.readouterr().err


def test_time_left_follows_what_the_done_ones_took(monkeypatch):
    """Twice as slow as expected so far: twice the expectation to come."""
    monkeypatch.setattr(command, "EXPECTED", {"views": (10, 1), "step": (30, 3)})
    monkeypatch.setattr(command.time, "monotonic", lambda: 120.0)
    assert command.time_left(["views", "step"], [], 120.0, Setting("cpu")) == 40
    assert command.time_left(["step"], ["views"], 100.0, Setting("cpu")) == 60
    assert command.time_left(["step"], ["views"], 100.0, Setting("cuda")) == 60
