"""Experiment: everything that a run depends on, in one frozen value.

The class's defaults are the paper's settings; a preset names what it changes. Each setting
says since which stage it matters, so that experiments share the stages on which they agree.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from sparta_core.errors import ExperimentError
from sparta_core.presets import FORECAST_SETUPS, PRESETS
from sparta_core.ranges import USUAL_EDGES, check_ranges
from sparta_core.typed import Table, check_choice, nearest, plain, typed

WEATHERBENCH2_VARIABLES = (
    "2m_temperature",
    "u_component_of_wind",
    "v_component_of_wind",
    "geopotential",
    "specific_humidity",
)

# What each stage continues from. "data" is no stage: it stands for the days and their views.
PREREQUISITES = {
    "data": (),
    "autoencoder": ("data",),
    "pretrain": ("data",),
    "blend": ("data", "pretrain"),
    "decoder": ("data", "pretrain", "blend"),
    "baselines": ("data", "downstream"),
}
# The stage that leaves the frozen encoder and decoder which the downstream tasks use.
REPRESENTATIONS = Table("objective", {"contrastive": "decoder", "autoencoder": "autoencoder"})
DOWNSTREAM = ("forecast", "diffusion", "classification")
# The split that each task learns from, as its kind has it; stages learn from the training days.
LEARNS_FROM = {
    "forecast": Table("forecaster", {"lstm": "downstream_train", "dynamics": "train"}),
    "diffusion": Table("diffusion_of", {"day": "downstream_train", "forecast": "train"}),
    "classification": Table("classifier", {"mlp": "downstream_train", "date": "train"}),
}
# What diffusion needs besides the representation.
DIFFUSION_NEEDS: Table[set[str]] = Table("diffusion_of", {"day": set(), "forecast": {"forecast"}})

CHOICES = {
    "objective": tuple(REPRESENTATIONS),
    "fusion": ("early", "attention", "gnn", "hybrid"),
    "backbone": ("resnet18", "globe"),
    "decoder_backbone": ("same", "resnet18", "globe"),
    "departures": ("mean", "climatology"),
    "forecaster": ("lstm", "dynamics"),
    "classifier": ("mlp", "date"),
    "diffusion_of": ("day", "forecast"),
    "sparsity": ("points", "stations", "swaths", "blocks"),
    "head": ("pool", "flatten"),
    "mask_grid": ("enlarged", "native"),
    "device": ("auto", "cpu", "cuda", "mps"),
    "precision": ("auto", "32-true", "bf16-mixed"),
    "storage": ("auto", "device", "memory", "disk"),
    "sampler": ("ddpm", "ddim", "dpm-solver++"),
}
EARTH_RADIUS = 6371.0  # km, the unit of lengths


def _since(stage: str, default: Any) -> Any:
    return field(default=default, metadata={"since": stage})


@dataclass(frozen=True)
class Experiment:
    """All settings of a run; the defaults are the paper's (build one with `from_preset`).

    Times and gaps are in days, sizes in grid points (latitude, longitude), ratios are shares.
    Raises ExperimentError for a value that no run could use.
    """

    preset: str = _since("machine", "paper")
    runs: str = _since("machine", "runs")  # folder of all runs
    device: str = _since("machine", "auto")
    precision: str = _since("machine", "auto")  # auto: bf16 where the hardware has it
    checkpoint_every: float = _since("machine", 10.0)  # seconds of training between two checkpoints, at least
    storage: str = _since("machine", "auto")  # of the days; auto: the first of device, memory, disk with room

    seed: int = _since("data", 0)
    data: str = _since("data", "bundled")  # bundled, or a path: Zarr store, NetCDF
    variables: tuple[str, ...] = _since("data", WEATHERBENCH2_VARIABLES)
    level: int = _since("data", 850)  # hPa
    days: int | None = _since("data", None)  # the first so many days; None: all
    split: tuple[float, float] = _since("data", (0.6, 0.2))  # training, validation; the rest is downstream
    departures: str = _since("data", "mean")  # what values are departures from: mean, or climatology (of the date)

    view_size: tuple[int, int] = _since("data", (72, 144))  # what the encoder sees
    mask_grid: str = _since("data", "enlarged")  # hide values before (native) or after enlarging
    mask_ratio: tuple[float, float] = _since("data", (0.5, 0.9))  # share of hidden values, drawn per sample
    sparsity: str = _since("data", "points")  # what is observed: points, stations, swaths, blocks
    stations: str = _since("data", "")  # a CSV with the columns lat and lon, for sparsity="stations"
    swaths: int = _since("data", 14)  # of a satellite around the equator
    block_size: int = _since("data", 8)  # grid points
    variable_dropout: float = _since("data", 0.0)  # share of days on which a variable is missing as a whole
    noise: float = _since("data", 0.0)  # std of the observations' errors, in training stds
    noise_length: float = _since("data", 0.0)  # km over which they are correlated
    gaps: bool = _since("data", False)  # NaN in the data is meant: not observed
    batch_size: int = _since("data", 128)  # with hard negatives a third are anchors
    max_offset: int = _since("data", 5)  # days between anchor and positives
    hard_gap: tuple[int, int] = _since("data", (11, 40))  # days from anchor to hard negative
    soft_gap: int = _since("data", 1000)  # days from anchor to soft negative, at least
    plateau_patience: int = _since("data", 10)  # epochs
    plateau_factor: float = _since("data", 0.1)
    plateau_threshold: float = _since("data", 1e-4)

    backbone: str = _since("data", "resnet18")
    decoder_backbone: str = _since("data", "same")  # as the encoder's, or one to tell which of the two is weak
    width: int = _since("data", 64)  # channels of the first stage
    embedding: int = _since("data", 1000)  # size of z
    norm_groups: int | None = _since("data", None)  # None: one group per channel
    head: str = _since("data", "pool")  # of resnet18; flatten keeps where things are
    mask_input: bool = _since("data", False)  # show the encoder what is observed, beside the values
    linear_path: bool = _since("data", False)  # start the embedding as optimal interpolation, the decoder as modes
    localisation: float = _since("data", 8000.0)  # km over which the linear path believes in covariances; 0: any

    autoencoder_epochs: int = _since("autoencoder", 180)
    autoencoder_rate: float = _since("autoencoder", 1e-3)

    fusion: str = _since("pretrain", "early")
    hard_negatives: bool = _since("pretrain", True)
    cycle_weight: float = _since("pretrain", 1.0)  # 0: no cycle loss
    attention_heads: int = _since("pretrain", 8)  # of the attention fusion
    # The gnn fusion's graph: variables that see each other, beside themselves; of the default, those that are there.
    edges: tuple[tuple[str, str], ...] = _since("pretrain", USUAL_EDGES)
    temperature: float = _since("pretrain", 0.3)  # of NT-Xent
    projection: int = _since("pretrain", 128)  # size of the projections
    crop_from: tuple[int, int] = _since("pretrain", (80, 160))  # enlarged to this, then cropped to view_size
    smoothing: int = _since("pretrain", 5)  # width of the mean filter
    offset_decay: float = _since("pretrain", 0.1)  # P(d) ~ exp(-offset_decay d)
    pretrain_epochs: int = _since("pretrain", 100)
    pretrain_rate: float = _since("pretrain", 1e-4)

    blend_epochs: int = _since("blend", 250)
    blend_rate: float = _since("blend", 1e-4)
    blend_decay: float = _since("blend", 0.01)  # alpha = exp(-blend_decay epoch)

    decoder_epochs: int = _since("decoder", 200)
    decoder_rate: float = _since("decoder", 1e-4)

    objective: str = _since("tasks", "contrastive")  # whose embeddings they use
    downstream_split: tuple[float, float] = _since("downstream", (0.6, 0.2))
    downstream_mask_ratio: float = _since("downstream", 0.7)
    look_back: int = _since("forecast", 30)  # days
    stride: int = _since("forecast", 1)  # days between training windows
    forecaster: str = _since("forecast", "lstm")  # or dynamics: a linear inverse model, and what convolutions add
    forecast_steps: int = _since("forecast", 1)  # days ahead that dynamics are trained on, in the end
    forecast_hidden: int = _since("forecast", 128)  # of the lstm's state; channels of the dynamics
    forecast_epochs: int = _since("forecast", 100)
    forecast_rate: float = _since("forecast", 1e-2)
    forecast_batch_size: int = _since("forecast", 64)
    forecast_weight_decay: float = _since("forecast", 1e-6)
    forecast_dropout: float = _since("forecast", 0.0)
    forecast_seeds: tuple[int, ...] = _since("scores", (0,))
    leads: int = _since("scores", 100)  # days ahead that are scored
    start_every: int = _since("scores", 1)  # days between forecasts that are scored

    diffusion_of: str = _since("diffusion", "day")  # the whole day, given the sparse; or forecast: what that has wrong
    diffusion_steps: int = _since("diffusion", 1000)  # T
    diffusion_betas: tuple[float, float] = _since("diffusion", (1e-4, 0.02))  # first and last noise variance
    diffusion_widths: tuple[int, ...] = _since("diffusion", (1024, 512, 256))  # of the vector U-Net, going down
    noise_skip: bool = _since("diffusion", False)  # hand the noised embedding on to the denoiser's output
    diffusion_epochs: int = _since("diffusion", 300)
    diffusion_rate: float = _since("diffusion", 1e-3)
    diffusion_batch_size: int = _since("diffusion", 64)
    draws: int = _since("scores", 20)  # of each condition
    climatology_window: int = _since("scores", 10)  # days around a date from which a climatological ensemble is drawn
    sampler: str = _since("scores", "ddpm")  # the others need quick_steps instead of diffusion_steps
    quick_steps: int = _since("scores", 50)

    classifier: str = _since("classification", "mlp")  # or date: the likelihood of every day of the year
    classification_widths: tuple[int, ...] = _since("classification", (250, 62))
    classification_dropout: float = _since("classification", 0.5)
    classification_epochs: int = _since("classification", 100)
    classification_rate: float = _since("classification", 1e-3)
    classification_batch_size: int = _since("classification", 64)
    classification_weight_decay: float = _since("classification", 1e-2)
    classification_mask_ratio: tuple[float, float] = _since("classification", (0.2, 0.9))

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            object.__setattr__(self, name, typed(name, kind, getattr(self, name)))
        for name, valid in CHOICES.items():
            check_choice(name, getattr(self, name), valid)
        check_choice("preset", self.preset, tuple(PRESETS))
        check_ranges(vars(self))

    @classmethod
    def from_preset(cls, preset: str = "demo", **changes: Any) -> "Experiment":
        """The experiment of `preset` with `changes`; a paper forecast set-up brings its own rates."""
        check_choice("preset", preset, tuple(PRESETS))
        _check_names(changes)
        settings = {"preset": preset, **PRESETS[preset]}
        pair = tuple(changes.get(n, settings.get(n, cls.__dataclass_fields__[n].default))
                     for n in ("look_back", "stride"))
        setup = next((known for key, known in FORECAST_SETUPS.items() if key == pair), {})
        return cls(**{**setup, **settings, **changes})

    def replace(self, **changes: Any) -> "Experiment":
        """A new experiment with `changes`; this one stays as it is."""
        _check_names(changes)
        return dataclasses.replace(self, **changes)

    def settings(self, stage: str) -> dict[str, Any]:
        """The settings that the trained `stage` depends on, ready for JSON."""
        since = self.ancestry(stage)
        return {f.name: plain(getattr(self, f.name))
                for f in dataclasses.fields(self) if f.metadata["since"] in since}

    def digest(self, stage: str) -> str:
        """Eight hexadecimal digits of `settings(stage)`: equal for experiments that share the stage."""
        # Only what differs from the paper counts, so that a new setting does not orphan old runs.
        paper = {f.name: plain(f.default) for f in dataclasses.fields(self)}
        changed = {k: v for k, v in self.settings(stage).items() if v != paper[k]}
        text = json.dumps(changed, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def name(self, stage: str) -> str:
        """The folder that `stage` shares with its neighbours; what no fusion or loss changes has its own."""
        since = self.ancestry(stage)
        if "pretrain" not in since:
            return f"{self.preset}-seed{self.seed}"
        parts = [self.preset, self.fusion, "hn" if self.hard_negatives else "",
                 "cycle" if self.cycle_weight else "", f"seed{self.seed}"]
        return "-".join(part for part in parts if part)

    @property
    def representation(self) -> str:
        """The stage whose encoder and decoder the downstream tasks use."""
        return REPRESENTATIONS[self.objective]

    def learns_from(self, stage: str) -> str:
        """The split of the days that a stage or task learns from."""
        if stage not in LEARNS_FROM:
            return "train"
        kinds = LEARNS_FROM[stage]
        return kinds[getattr(self, kinds.setting)]

    def ancestry(self, stage: str) -> set[str]:
        """The stage and everything that it depends on, as settings name it: stages, "data", "downstream", "tasks"."""
        if stage in PREREQUISITES:
            return {stage, *PREREQUISITES[stage]}
        check_choice("stage", stage, tuple(PREREQUISITES) + DOWNSTREAM)
        needed = DIFFUSION_NEEDS[self.diffusion_of] if stage == "diffusion" else set()
        return {stage, "tasks", "downstream", *needed, *self.ancestry(self.representation)}

    def at_equal_steps(self) -> "Experiment":
        """Without hard negatives, as many steps as with them: an epoch without has a third of the steps.

        The paper compares equal epochs instead. An experiment with hard negatives stays as it is.
        """
        if self.hard_negatives:
            return self
        stages = {f"{stage}_epochs": 3 * getattr(self, f"{stage}_epochs") for stage in ("pretrain", "blend", "decoder")}
        return self.replace(**stages, blend_decay=self.blend_decay / 3, plateau_patience=3 * self.plateau_patience)

    def shortened(self, share: float) -> "Experiment":
        """Every stage and task with `share` of its epochs, two at least; alpha ends where it did."""
        share = typed("share", float, share)
        if not 0 < share <= 1:
            raise ExperimentError(f"share is {share}; it must be above 0 and at most 1")
        names = [f"{stage}_epochs" for stage in ("autoencoder", "pretrain", "blend", "decoder", *DOWNSTREAM)]
        epochs = {name: min(getattr(self, name), max(2, round(share * getattr(self, name)))) for name in names}
        steeper = (self.blend_epochs - 1) / (epochs["blend_epochs"] - 1) if self.blend_epochs > 1 else 1
        return self.replace(**epochs, blend_decay=self.blend_decay * steeper)


def _check_names(changes: dict[str, Any]) -> None:
    valid = [f.name for f in dataclasses.fields(Experiment)]
    for name in changes:
        if name not in valid:
            raise ExperimentError(
                f"Experiment has no field {name!r}{nearest(name, valid)}; valid fields: {', '.join(valid)}")
