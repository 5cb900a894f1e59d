"""A convolutional neural process of deepsensor on torch (Gordon et al., 2020; Andersson et al., 2023)."""

import math
import time
from importlib.metadata import version
from typing import Any, ClassVar

import deepsensor.torch  # noqa: F401, which chooses what computes before a model is made
import numpy as np
import torch
from deepsensor.data.task import Task
from deepsensor.model import ConvNP

from benchmarks.peers import Method
from benchmarks.peers.archive import KINDS, Archive, Sparse, shown
from sparta_core.files import replace
from sparta_core.progress import Told
from sparta_core.tasks.assimilation.networks import NETWORKS
from sparta_core.tensors import packed, unpacked

MINUTES = 24.0  # of CPU time, in which it is trained
CHANNELS = (48, 48, 48, 48)
BATCH, RATE = 8, 1e-3
KEPT = "convnp.safetensors"
WRAP = 0.125  # of the longitudes, that are given again on either side


class ConvolutionalProcess(Method):
    """Takes each variable's values as a context set, and where they lie on the sphere as another.

    It is trained on training days by the likelihood, each observed as one of the kinds of observations draws it, at
    places of its own. Longitudes go on beyond the date line, since the network knows no globe.
    """

    title: ClassVar[str] = f"ConvNP (deepsensor {version('deepsensor')})"
    cannot: ClassVar[str] = "has to be trained for the grid, knows no globe, and has no memory"
    packages: ClassVar[tuple[str, ...]] = ("deepsensor", "NeuralProcesses")
    minutes, channels = MINUTES, CHANNELS

    def fit(self, archive: Archive) -> str:
        torch.manual_seed(0)
        self.std = archive.std.astype(np.float32)
        self.days = archive.train / self.std
        channels, height, width = self.days.shape[1:]
        self.wrap = round(WRAP * width) if archive.record.domain.periodic_x else 0
        self.still = archive.positions.astype(np.float32).T.reshape(3, height, width)
        self.model = ConvNP(dim_yc=(1,) * channels + (3,), dim_yt=channels, unet_channels=self.channels,
                            internal_density=width, encoder_scales=0.5 / width, decoder_scale=0.5 / width)  # fmt: skip
        steps = self.trained(archive)
        wrong = {kind: archive.error(self(sparse), sparse) for kind, sparse in archive.validation.items()}
        words = ", ".join(f"{error:.3g} of {kind}" for kind, error in wrong.items())
        return (f"{steps * BATCH:,} draws of {len(self.days):,} training days in {self.minutes:g} min on one thread; "
                f"on validation days {words}")  # fmt: skip

    def trained(self, archive: Archive) -> int:
        """Train, or take up what was trained before in the same way; returns the number of steps."""
        network, made_with = self.model.model, {"channels": list(self.channels), "minutes": self.minutes}
        path = archive.folder and archive.folder / KEPT
        if path and path.exists():
            weights, about = unpacked(path)
            if {name: about.get(name) for name in made_with} == made_with:
                network.load_state_dict(weights)
                self.kept_seconds = 60 * self.minutes
                return int(about["steps"])
        steps = self.train(archive)
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace(path, packed(dict(network.state_dict()), made_with | {"steps": steps}))
        return steps

    def train(self, archive: Archive) -> int:
        """Train for some minutes, at a rate that falls to nothing; returns the number of steps."""
        optimiser = torch.optim.Adam(self.model.model.parameters(), lr=RATE)
        draws, seconds, steps = np.random.default_rng(0), 60 * self.minutes, 0
        told, begun = Told(seconds), time.process_time()
        while (gone := time.process_time() - begun) < seconds:
            for group in optimiser.param_groups:
                group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * gone / seconds))
            days = self.days[draws.choice(len(self.days), BATCH, replace=False)]
            loss = self.model.loss_fn(self.task(drawn(archive, days, draws), days), normalise=True)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.model.parameters(), 1.0)
            optimiser.step()
            steps += 1
            told(gone, f"convnp: step {steps}, loss {float(loss):.3g}")
        return steps

    def task(self, values: np.ndarray, targets: np.ndarray | None = None) -> Any:
        """What the package calls a task: sparse days (B, C, H, W) over their std, and all of their values."""
        number, channels, height, width = values.shape
        columns = np.arange(-self.wrap, width + self.wrap)
        rows, wide, narrow = (axis[None, None].repeat(number, 0) / width
                              for axis in (np.arange(height), columns, np.arange(width)))  # fmt: skip
        still = self.still[None].repeat(number, 0)
        contexts = [*(values[:, channel, None] for channel in range(channels)), still]
        return Task({"X_c": [(rows, wide)] * len(contexts), "Y_c": [each[..., columns % width] for each in contexts],
                     "X_t": [(rows, narrow)], "Y_t": None if targets is None else [targets],
                     "ops": ["batch_dim"]})  # fmt: skip

    def __call__(self, sparse: Sparse) -> np.ndarray:
        made = []
        for day in sparse.values:
            with torch.no_grad():
                distribution = self.model(self.task((day / self.std)[None]), n_samples=1)
            made.append(distribution.mean.numpy().reshape(day.shape) * self.std)
        return np.stack(made).astype(np.float32)


def drawn(archive: Archive, days: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """Days (B, C, H, W), of which a kind of observations, another for each, shows some values; the rest is NaN."""
    networks = (NETWORKS[KINDS[draws.integers(len(KINDS))]] for _ in days)
    return shown(days, [places.numpy() for network in networks
                        for places in network(archive.record.domain, days.shape[1], 1, draws)])  # fmt: skip
