"""A training epoch of the forecaster: each day embedded once, against each day once for every window that holds it."""

from collections.abc import Iterator
from itertools import islice

import torch

from benchmarks.ours import Training
from benchmarks.per_sample import window_step, with_torchs_dropout
from benchmarks.report import Goal, Row, amount
from benchmarks.setting import Setting, noise_record
from benchmarks.timing import Contender, Spread, interleaved, ratio, repeated
from sparta_core.data.record import Record
from sparta_core.experiment import Experiment
from sparta_core.tasks.forecast import Forecaster
from sparta_core.tasks.forecast.lstm import LSTMForecaster, training_starts
from sparta_core.training.device import arrange, make_fabric
from sparta_core.training.stages import fresh


class OurEpoch(Training):
    """An epoch as training.fit takes it."""

    def __init__(self, experiment: Experiment, record: Record) -> None:
        kind, fabric, model = experiment.of(Forecaster), make_fabric(experiment), fresh(experiment, "decoder", record)
        arrange(model, record.device.type)
        model.eval().requires_grad_(False)
        objective = kind.objective(record, model, fabric.setup_module(kind.build(model)))
        super().__init__(fabric, objective, kind.schedule(), experiment.seed)

    def __call__(self) -> None:
        for batch in self.objective.batches("train", self.generator):
            self.step(batch, 0)


class WindowEpoch:
    """The first `batches` of an epoch that embeds window by window, in float32 and torch's default layout."""

    def __init__(self, experiment: Experiment, record: Record, forecaster: LSTMForecaster,
                 batches: int | None) -> None:  # fmt: skip
        model = fresh(experiment, "decoder", record)
        with_torchs_dropout(model)
        self.experiment, self.days = experiment, record.split("downstream_train").values
        self.encoder = model.encoder.eval().requires_grad_(False)
        self.forecaster = forecaster.to(record.device)
        self.adam = torch.optim.Adam(forecaster.parameters(), experiment.forecast_rate,
                                     weight_decay=experiment.forecast_weight_decay)  # fmt: skip
        starts = training_starts(experiment, "train", len(self.days), record.clock).to(record.device)
        order = starts[torch.randperm(len(starts), device=record.device)]
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
    record = noise_record(experiment, setting.forecast_years)
    ours = OurEpoch(experiment, record)
    forecaster = LSTMForecaster(experiment.embedding, experiment.forecast_hidden, experiment.forecast_dropout)
    theirs = WindowEpoch(experiment, record, forecaster, setting.forecast_batches)
    windows = len(training_starts(experiment, "train", len(theirs.days), record.clock))
    contenders = {"ours": Contender(repeated(ours), windows), "theirs": Contender(repeated(theirs), theirs.windows)}
    times = interleaved(contenders, setting.device, setting.rounds, warmup=1)
    ours_rate, their_rate = (f"{amount(1 / Spread.of(times[name]).median)} windows/s" for name in contenders)
    part = "" if theirs.windows == windows else f"; {theirs.windows} of them where a day is embedded per window"
    yield Row(f"training epoch at LB 30, {windows} windows{part}", ours_rate, their_rate,
              ratio(times["theirs"], times["ours"]), Goal(20))  # fmt: skip
