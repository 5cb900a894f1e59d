"""A training epoch of the forecaster: each day embedded once, against each day once for every window that holds it."""

from collections.abc import Iterator
from itertools import islice

import torch

from benchmarks.ours import Training, workbench
from benchmarks.per_sample import window_step, with_torchs_dropout
from benchmarks.report import Goal, Row, amount
from benchmarks.setting import Setting, noise_fields
from benchmarks.timing import Contender, Spread, interleaved, ratio, repeated
from sparta_core.tasks.forecast import Forecaster, run_of
from sparta_core.tasks.forecast.lstm import LSTMForecaster, training_starts
from sparta_core.training.device import arrange
from sparta_core.training.workbench import Workbench


class OurEpoch(Training):
    """An epoch as training.fit takes it."""

    def __init__(self, bench: Workbench) -> None:
        experiment, model = bench.experiment, bench.build("decoder")
        arrange(model, bench.device.type)
        frozen = model.to(bench.device).eval().requires_grad_(False)
        seed = experiment.seed
        super().__init__(experiment.of(Forecaster).training(bench, run_of(bench, seed), seed).job(frozen))

    def __call__(self) -> None:
        for batch in self.objective.batches("train", self.generator):
            self.step(batch, 0)


class WindowEpoch:
    """The first `batches` of an epoch that embeds window by window, in float32 and torch's default layout."""

    def __init__(self, bench: Workbench, forecaster: LSTMForecaster, batches: int | None) -> None:
        experiment = bench.experiment
        model = bench.build("decoder")
        with_torchs_dropout(model)
        self.experiment, self.days = experiment, bench.fields.split("downstream_train")
        self.encoder = model.encoder.to(bench.device).eval().requires_grad_(False)
        self.forecaster = forecaster.to(bench.device)
        self.adam = torch.optim.Adam(forecaster.parameters(), experiment.forecast_rate,
                                     weight_decay=experiment.forecast_weight_decay)  # fmt: skip
        starts = training_starts(experiment, "train", len(self.days)).to(bench.device)
        order = starts[torch.randperm(len(starts), device=bench.device)]
        self.batches = list(islice(order.split(experiment.forecast_batch_size), batches))

    @property
    def windows(self) -> int:
        return sum(map(len, self.batches))

    def __call__(self) -> None:
        steps = torch.arange(self.experiment.look_back + 1, device=self.days.device)
        for starts in self.batches:
            windows = self.days[starts[:, None] + steps]
            window_step(self.encoder, self.forecaster, self.adam, windows, self.experiment)


def forecast(setting: Setting) -> Iterator[Row]:
    experiment = setting.experiment(look_back=30, stride=1)
    bench = workbench(experiment, noise_fields(experiment, setting.forecast_years))
    ours = OurEpoch(bench)
    forecaster = LSTMForecaster(experiment.embedding, experiment.forecast_hidden, experiment.forecast_dropout)
    theirs = WindowEpoch(bench, forecaster, setting.forecast_batches)
    windows = len(training_starts(experiment, "train", len(theirs.days)))
    contenders = {"ours": Contender(repeated(ours), windows), "theirs": Contender(repeated(theirs), theirs.windows)}
    times = interleaved(contenders, setting.device, setting.rounds, warmup=1)
    ours_rate, their_rate = (f"{amount(1 / Spread.of(times[name]).median)} windows/s" for name in contenders)
    part = "" if theirs.windows == windows else f"; {theirs.windows} of them where a day is embedded per window"
    yield Row(f"training epoch at LB 30, {windows} windows{part}", ours_rate, their_rate,
              ratio(times["theirs"], times["ours"]), Goal(20))  # fmt: skip
