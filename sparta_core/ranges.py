"""What the settings of an experiment may be, beyond their types, alone and together."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from sparta_core.errors import ExperimentError
from sparta_core.typed import Table

ABOVE_ZERO = (
    "view_size", "swaths", "block_size", "max_offset", "width", "embedding", "temperature", "projection", "smoothing",
    "autoencoder_epochs", "autoencoder_rate", "pretrain_epochs", "pretrain_rate", "blend_epochs",
    "blend_rate", "decoder_epochs", "decoder_rate", "look_back", "stride", "forecast_hidden", "forecast_steps",
    "forecast_epochs", "forecast_rate", "forecast_batch_size", "leads", "start_every", "attention_heads",
    "diffusion_steps", "diffusion_betas", "diffusion_widths", "diffusion_epochs", "diffusion_rate",
    "diffusion_batch_size", "draws", "quick_steps", "classification_widths", "classification_epochs",
    "classification_rate", "classification_batch_size",
)  # fmt: skip


AT_LEAST_ZERO = (
    "checkpoint_every", "climatology_window", "localisation", "noise", "noise_length", "cycle_weight",
    "offset_decay", "blend_decay", "plateau_patience", "plateau_factor", "plateau_threshold", "forecast_weight_decay",
    "classification_weight_decay",
)  # fmt: skip
SHARES = ("variable_dropout", "downstream_mask_ratio", "forecast_dropout", "classification_dropout")
SEEDS = 2**63  # what random generators take
LARGEST = 2**31  # epochs, sizes and steps beyond could not be counted
# Whether what is observed has places on the globe, which an enlarged view has not.
PLACED = Table("sparsity", {"points": False, "stations": True, "swaths": True, "blocks": True})
# The gnn fusion's default graph: of these edges it has those whose variables are there.
USUAL_EDGES = (("2m_temperature", "geopotential"), ("u_component_of_wind", "v_component_of_wind"))


def check_ranges(settings: Mapping[str, Any]) -> None:
    """ExperimentError for the first of the settings, by name, that no run could use."""
    given = SimpleNamespace(**settings)
    for check in (_check_numbers, _check_shares, _check_lists, _check_views, _check_sparsity, _check_models,
                  _check_paths):
        check(given)


def _check_numbers(given: SimpleNamespace) -> None:
    for name in (*ABOVE_ZERO, *AT_LEAST_ZERO):
        value = getattr(given, name)
        least = min(value if isinstance(value, tuple) else (value,), default=1)
        if not (least >= 0 if name in AT_LEAST_ZERO else least > 0):
            raise ExperimentError(f"{name} is {value}; it must be {'at least' if name in AT_LEAST_ZERO else 'above'} 0")
        if not max(value if isinstance(value, tuple) else (value,), default=1) < LARGEST:
            raise ExperimentError(f"{name} is {value}; it must be below {LARGEST}")
    for seed in (given.seed, *given.forecast_seeds):
        if not 0 <= seed < SEEDS:
            raise ExperimentError(f"a seed is {seed}; it must be at least 0 and below 2**63")
    if given.batch_size < 3:
        raise ExperimentError(f"batch_size is {given.batch_size}; one anchor with its negatives needs 3")
    first, last = given.diffusion_betas
    if not first <= last < 1:
        raise ExperimentError(f"diffusion_betas are {(first, last)}; they must rise and stay below 1")


def _check_shares(given: SimpleNamespace) -> None:
    for name in ("split", "downstream_split"):
        first, second = getattr(given, name)
        if not (first > 0 and second > 0 and first + second < 1):
            raise ExperimentError(
                f"{name} is {(first, second)}; it must be two positive fractions with a sum below 1")
    for name in ("mask_ratio", "classification_mask_ratio"):
        low, high = getattr(given, name)
        if not 0 <= low <= high < 1:
            raise ExperimentError(f"{name} is {(low, high)}; it must be 0 <= low <= high < 1")
    for name in SHARES:
        if not 0 <= getattr(given, name) < 1:
            raise ExperimentError(f"{name} is {getattr(given, name)}; it must be at least 0 and below 1")


def _check_lists(given: SimpleNamespace) -> None:
    for name in ("variables", "forecast_seeds", "diffusion_widths", "classification_widths"):
        if not getattr(given, name):
            raise ExperimentError(f"{name} is empty; name one at least")
    if len(set(given.variables)) != len(given.variables):
        raise ExperimentError(f"variables are {given.variables}; each may be named once")
    near, far = given.hard_gap
    if not given.max_offset < near <= far < given.soft_gap:
        raise ExperimentError(
            f"hard_gap is {(near, far)}; it must lie between max_offset ({given.max_offset}) "
            f"and soft_gap ({given.soft_gap}), so that no negative is also a positive")


def _check_views(given: SimpleNamespace) -> None:
    if any(c < v for c, v in zip(given.crop_from, given.view_size, strict=True)):
        raise ExperimentError(
            f"crop_from {given.crop_from} is smaller than view_size {given.view_size}; enlarge it")
    if given.smoothing % 2 == 0:
        raise ExperimentError(f"smoothing is {given.smoothing}; a centred mean filter needs an odd width")


def placed(settings: Mapping[str, Any]) -> list[str]:
    """The settings that put observations at places on the globe, which an enlarged view has not."""
    kind = [f"sparsity={settings['sparsity']!r}"] * PLACED[settings["sparsity"]]
    return kind + [name for name in ("noise_length", "gaps") if settings[name]]


def _check_sparsity(given: SimpleNamespace) -> None:
    first = next(iter(placed(vars(given))), None)
    if first and given.mask_grid != "native":
        raise ExperimentError(f"{first} has places on the globe, which an enlarged view has not; "
                              "set mask_grid='native'")
    if bool(given.stations) != (given.sparsity == "stations"):
        raise ExperimentError(f"stations is {given.stations!r} and sparsity {given.sparsity!r}; "
                              "for stations give both, for anything else neither")


def _check_models(given: SimpleNamespace) -> None:
    if "globe" in (given.backbone, given.decoder_backbone) and given.width % 8:
        raise ExperimentError(f"width is {given.width}; the globe's norms have eight channels a group, so it must be a "
                              "multiple of 8")
    if given.linear_path and not (given.mask_input and given.mask_grid == "native"
                                  and given.crop_from == given.view_size and given.smoothing == 1):
        raise ExperimentError("linear_path needs values at their places and what is observed: set mask_input=True, "
                              "mask_grid='native', crop_from to view_size and smoothing=1")
    if given.forecaster == "dynamics" and not given.linear_path:
        raise ExperimentError("forecaster is 'dynamics', whose maps are those of the linear path; set linear_path=True")
    if given.forecaster == "dynamics" and given.forecast_hidden % 8:
        raise ExperimentError(f"forecast_hidden is {given.forecast_hidden}; the dynamics' norms have eight channels a "
                              "group, so it must be a multiple of 8")
    if given.diffusion_of == "forecast" and given.forecaster != "dynamics":
        raise ExperimentError("diffusion_of is 'forecast', that of the dynamics; set forecaster='dynamics'")
    if given.classifier == "date" and not (given.linear_path and given.departures == "climatology"):
        raise ExperimentError("classifier is 'date', which tells weather from the usual by the linear path's "
                              "covariance; set linear_path=True and departures='climatology'")
    if given.fusion == "attention" and given.embedding % given.attention_heads:
        raise ExperimentError(f"attention_heads is {given.attention_heads}; it must divide the embedding's "
                              f"size, here {given.embedding}")
    asked = given.fusion == "gnn" and given.edges != USUAL_EDGES
    if asked and not {name for edge in given.edges for name in edge} <= set(given.variables):
        raise ExperimentError(f"edges are {given.edges}; they may only join the variables {given.variables}")


def _check_paths(given: SimpleNamespace) -> None:
    for name, what in (("runs", "the path of a folder"), ("data", "'bundled', or the path of a store or file")):
        path = getattr(given, name)
        if "\0" in path or not path.strip():
            raise ExperimentError(f"{name} is {path!r}; it must be {what}")
