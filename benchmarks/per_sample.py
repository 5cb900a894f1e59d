"""The paper's pipeline written plainly: workers that prepare each sample alone, and a float32 step in torch.

Models are SPARTA's own modules, but with torch's dropout; everything else is written from the method's
description, one day and one view at a time. Nothing is vectorised over samples, and nothing is slowed down.
"""

import multiprocessing
import shutil
from collections.abc import Callable, Mapping
from math import exp
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from sparta_core.experiment import Experiment
from sparta_core.layers.dropout import ReLUDropout
from sparta_core.models.sparta import Sparta

Views = dict[str, Tensor]
TRAINS = {"pretrain": ("encoder", "projector"), "blend": ("encoder", "projector", "decoder"), "decoder": ("decoder",)}
PREFETCH = 2  # batches that a worker prepares ahead


def enlarged(days: Tensor, size: tuple[int, int]) -> Tensor:
    """Days (B, C, H, W) resized to (B, C, *size)."""
    return F.interpolate(days, size, mode="bicubic", align_corners=False)


def augmented(day: Tensor, experiment: Experiment, generator: torch.Generator) -> Tensor:
    """A day (C, H, W) enlarged, cropped at a random place and smoothed: (C, h, w)."""
    (height, width), (tall, wide) = experiment.view_size, experiment.crop_from
    big = enlarged(day[None], experiment.crop_from)[0]
    i = int(torch.randint(tall - height + 1, (), generator=generator))
    j = int(torch.randint(wide - width + 1, (), generator=generator))
    crop = big[:, i : i + height, j : j + width]
    return F.avg_pool2d(crop, experiment.smoothing, stride=1, padding=experiment.smoothing // 2, count_include_pad=True)


def masked(view: Tensor, bounds: tuple[float, float], generator: torch.Generator) -> Tensor:
    """A view whose values are each dropped with one probability, drawn from `bounds`."""
    low, high = bounds
    ratio = low + (high - low) * torch.rand((), generator=generator)
    return view * (torch.rand(view.shape, generator=generator) >= ratio)


class AnchorViews(Dataset[Views]):
    """Item k is all that `stage` needs of the k-th anchor: of the day, its hard and its soft negative, stacked.

    For stages 1 and 2 nine views: `now` augmented, `after` and `before` augmented and masked, (3, C, h, w)
    each. For stages 2 and 3 the whole day masked, and the days themselves as truths (3, C, H, W).
    """

    def __init__(self, values: Tensor, days: range, experiment: Experiment, stage: str) -> None:
        margin = experiment.max_offset
        self.values, self.experiment, self.stage = values, experiment, stage
        self.anchors = range(days.start + margin, days.stop - margin)
        self.candidates = torch.arange(self.anchors.start, self.anchors.stop)
        self.offset_weights = torch.exp(-experiment.offset_decay * torch.arange(1, margin + 1))
        self.generator = torch.default_generator  # which every worker seeds for itself

    def __len__(self) -> int:
        return len(self.anchors)

    def __getitem__(self, index: int) -> Views:
        anchor = self.anchors[index]
        samples = [self.sample(day) for day in (anchor, self.hard_negative(anchor), self.soft_negative(anchor))]
        return {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}

    def hard_negative(self, anchor: int) -> int:
        near, far = self.experiment.hard_gap
        around = [*range(anchor - far, anchor - near + 1), *range(anchor + near, anchor + far + 1)]
        inside = [day for day in around if day in self.anchors]
        return inside[self._draw(len(inside))]

    def soft_negative(self, anchor: int) -> int:
        distant = self.candidates[(self.candidates - anchor).abs() >= self.experiment.soft_gap]
        return int(distant[self._draw(len(distant))])

    def sample(self, day: int) -> Views:
        """The views and truths of one day."""
        made: Views = {}
        if self.stage != "decoder":
            offset = 1 + int(torch.multinomial(self.offset_weights, 1, generator=self.generator))
            after, before = self.values[day + offset], self.values[day - offset]
            made["now"] = augmented(self.values[day], self.experiment, self.generator)
            made["after"], made["before"] = self._sparse_positive(after), self._sparse_positive(before)
            if self.stage == "blend":
                made |= {"true_after": after, "true_before": before}
        if self.stage != "pretrain":
            whole = enlarged(self.values[day][None], self.experiment.view_size)[0]
            made["sparse"] = masked(whole, self.experiment.mask_ratio, self.generator)
            made["truth"] = self.values[day]
        return made

    def _sparse_positive(self, day: Tensor) -> Tensor:
        view = augmented(day, self.experiment, self.generator)
        return masked(view, self.experiment.mask_ratio, self.generator)

    def _draw(self, count: int) -> int:
        return int(torch.randint(count, (), generator=self.generator))


def loader(views: AnchorViews, workers: int, device: str) -> DataLoader[Views]:
    """Batches of the experiment's anchors, shuffled, by `workers` processes that share the days' memory."""
    context = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
    return DataLoader(
        views, views.experiment.batch_size // 3, shuffle=True, drop_last=True, num_workers=workers,
        prefetch_factor=PREFETCH, pin_memory=device == "cuda", multiprocessing_context=context,
    )  # fmt: skip


def affordable_workers(views: AnchorViews, wanted: int) -> int:
    """`wanted` workers, or as many as shared memory has room for their batches; one at least."""
    shared = Path("/dev/shm")
    if not shared.is_dir():
        return wanted
    batch = views.experiment.batch_size // 3 * sum(x.nbytes for x in views[0].values())
    return max(1, min(wanted, shutil.disk_usage(shared).free // ((PREFETCH + 1) * batch)))


class PlainStep:
    """A training step of `stage` on a batch of a loader: float32, torch's default layout, Adam and dropout."""

    def __init__(self, model: Sparta, experiment: Experiment, stage: str, device: str) -> None:
        with_torchs_dropout(model)
        self.parts: Mapping[str, nn.Module] = {name: part.to(device) for name, part in model.parts.items()}
        for name, part in self.parts.items():
            part.train(name in TRAINS[stage]).requires_grad_(name in TRAINS[stage])
        self.experiment, self.stage, self.device = experiment, stage, device
        trained = [p for name in TRAINS[stage] for p in self.parts[name].parameters()]
        self.adam = torch.optim.Adam(trained, lr=experiment.pretrain_rate)

    def __call__(self, batch: Views, epoch: int = 1) -> None:
        samples = {name: x.to(self.device, non_blocking=True).flatten(0, 1) for name, x in batch.items()}
        self.adam.zero_grad()
        self.loss(samples, epoch).backward()
        self.adam.step()

    def loss(self, samples: Views, epoch: int) -> Tensor:
        """The stage's loss of samples (B, ...) on the device."""
        if self.stage == "decoder":
            with torch.no_grad():
                z = self.parts["encoder"](samples["sparse"])
            return reconstruction(self.parts["decoder"](z), samples["truth"])
        encoder, projector = self.parts["encoder"], self.parts["projector"]
        now, after, before = encoder(samples["now"]), encoder(samples["after"]), encoder(samples["before"])
        p, tau = projector(now), self.experiment.temperature
        contrast = nt_xent(p, projector(after), tau) + nt_xent(p, projector(before), tau)
        contrast = contrast + self.experiment.cycle_weight * ((after - 2 * now + before) ** 2).mean()
        if self.stage == "pretrain":
            return contrast
        decoder = self.parts["decoder"]
        neighbours = (reconstruction(decoder(after), samples["true_after"])
                      + reconstruction(decoder(before), samples["true_before"]))  # fmt: skip
        alpha = exp(-self.experiment.blend_decay * epoch)
        sparse = reconstruction(decoder(encoder(samples["sparse"])), samples["truth"])
        return alpha * (contrast + neighbours) + (1 - alpha) * sparse


def nt_xent(p: Tensor, q: Tensor, tau: float) -> Tensor:
    """-log(exp(s_ij / tau) / sum over k != i of exp(s_ik / tau)), the mean over all ordered positive pairs."""
    z = F.normalize(torch.cat([p, q]), dim=1)
    weight = torch.exp(z @ z.T / tau)
    others = weight.sum(1) - weight.diagonal()
    positive = torch.cat([weight.diagonal(len(p)), weight.diagonal(-len(p))])
    return -torch.log(positive / others).mean()


def reconstruction(decoded: Tensor, truth: Tensor) -> Tensor:
    """The sum over variables of their mean squared errors."""
    return ((decoded - truth) ** 2).mean((0, 2, 3)).sum()


def with_torchs_dropout(module: nn.Module) -> None:
    """Replace SPARTA's ReLU and dropout by torch's, in place."""
    for name, child in module.named_children():
        if isinstance(child, ReLUDropout):
            setattr(module, name, nn.Sequential(nn.ReLU(), nn.Dropout(child.p)))
        else:
            with_torchs_dropout(child)


def window_step(encoder: Callable[[Tensor], Tensor], forecaster: nn.Module, adam: torch.optim.Optimizer,
                windows: Tensor, experiment: Experiment) -> None:  # fmt: skip
    """A forecaster's training step on windows (B, look_back + 1, C, H, W): each day is embedded for each window."""
    with torch.no_grad():
        z = torch.stack([encoder(_sparse(days, experiment)) for days in windows.unbind(1)], dim=1)
    adam.zero_grad()
    F.mse_loss(forecaster(z[:, :-1]), z[:, -1:]).backward()
    adam.step()


def _sparse(days: Tensor, experiment: Experiment) -> Tensor:
    """Whole days (B, C, H, W) enlarged, a fixed share of their values dropped."""
    whole = enlarged(days, experiment.view_size)
    return whole * (torch.rand_like(whole) >= experiment.downstream_mask_ratio)
