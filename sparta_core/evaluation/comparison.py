"""Experiments side by side: every task, several seeds, beside the paper's numbers and claims."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sparta_core.errors import ExperimentError
from sparta_core.evaluation.classification import baseline_classification, baselines_variant, model_classification
from sparta_core.evaluation.generation import climatological_scores, diffusion_scores
from sparta_core.evaluation.latents import distance_scores
from sparta_core.evaluation.reconstruction import baseline_reconstruction, model_reconstruction
from sparta_core.evaluation.scorecard import WHOLE_FIELDS, forecast_setup, method, rows_of
from sparta_core.evaluation.scores import baseline_scores, model_scores
from sparta_core.experiment import Experiment
from sparta_core.observe import placed
from sparta_core.presets import PAPERS
from sparta_core.progress import duration
from sparta_core.training.runs import Run
from sparta_core.training.workbench import Workbench

SCORERS: dict[str, Callable[[Experiment], Any]] = {
    "reconstruction": model_reconstruction, "latent": distance_scores, "forecast": model_scores,
    "diffusion": diffusion_scores, "classification": model_classification,
}  # fmt: skip

# What the paper's models take over from the experiment that they stand beside.
SHARED = ("runs", "device", "precision", "storage", "seed", "data", "variables", "level", "days", "split", "fusion",
          "hard_negatives", "cycle_weight", "downstream_split", "downstream_mask_ratio", "look_back", "stride",
          "leads", "start_every", "draws", "climatology_window", "sparsity", "stations", "swaths", "block_size",
          "variable_dropout", "noise", "noise_length", "gaps")  # fmt: skip

# Of each task: what scores its baselines, the end of their run's name, and the baseline that a model should beat.
BASELINES: dict[str, tuple[Callable[[Experiment], Any], Callable[[Experiment], str], str]] = {
    "forecast": (baseline_scores, lambda experiment: f"-lookback{experiment.look_back}", "climatology"),
    "reconstruction": (baseline_reconstruction, lambda _: "-reconstruction", "climatology"),
    "diffusion": (climatological_scores, lambda _: "-diffusion", "climatological ensemble"),
    "classification": (baseline_classification, baselines_variant, "PCA + logistic regression"),
}


def models(experiment: Experiment) -> dict[str, Experiment]:
    """What notebooks set side by side, by name: the experiment's model, and the paper's two on the same days.

    The experiment's is named as in the scorecard: SPARTA-OI, as the presets have it.
    """
    own = experiment.preset == PAPERS[experiment.preset]
    shared = {name: getattr(experiment, name) for name in SHARED}
    if placed(experiment):
        shared["mask_grid"] = experiment.mask_grid
    paper = experiment if own else Experiment.from_preset(PAPERS[experiment.preset], **shared)
    theirs = {"paper's SPARTA": paper.replace(objective="contrastive"),
              "paper's autoencoder": paper.replace(objective="autoencoder")}  # fmt: skip
    return theirs if own else _named([experiment]) | theirs


def losses_variants(base: Experiment) -> dict[str, Experiment]:
    """The paper's ablation, by name: the autoencoder, and `base` with hard negatives and cycle loss on and off."""
    contrastive = base.replace(objective="contrastive")
    return _named([base.replace(objective="autoencoder"), *(
        contrastive.replace(hard_negatives=hard_negatives, cycle_weight=cycle_weight)
        for hard_negatives in (False, True) for cycle_weight in (0.0, 1.0))])  # fmt: skip


def fusion_variants(base: Experiment, fusions: Sequence[str] = ("early", "attention", "gnn")) -> dict[str, Experiment]:
    """The autoencoder, and `base` with each fusion, by name."""
    return _named([base.replace(objective="autoencoder"), *(
        base.replace(objective="contrastive", fusion=fusion) for fusion in fusions)])  # fmt: skip


def _named(experiments: Sequence[Experiment]) -> dict[str, Experiment]:
    return {method(one.settings(one.representation)): one for one in experiments}


def trained(variants: Mapping[str, Experiment]) -> dict[str, Experiment]:
    """Those whose representation is finished."""
    return {name: one for name, one in variants.items() if Workbench.of(one).run(one.representation).finished}


def compare(variants: Mapping[str, Experiment], seeds: Sequence[int], tasks: Sequence[str] = tuple(SCORERS)
            ) -> pd.DataFrame:  # fmt: skip
    """Every task of every variant and seed: rows of the scorecard, `model` being the variant's name.

    Finished stages and scores are reused, missing ones trained; a line a variant says how long is left.
    """
    unknown = [task for task in tasks if task not in SCORERS]
    if unknown:
        raise ExperimentError(f"there is no task {unknown[0]!r}; choose of: {', '.join(SCORERS)}")
    plan = [(name, one.replace(seed=seed)) for seed in seeds for name, one in variants.items()]
    begun, parts = time.monotonic(), []
    for done, (name, experiment) in enumerate(plan):
        left = (time.monotonic() - begun) / done * (len(plan) - done) if done else None
        print(f"[{done + 1}/{len(plan)}] {name}, seed {experiment.seed}"
              + (f": about {duration(left)} left" if left is not None else ""), flush=True)
        parts += [_scored(experiment, task).assign(model=name) for task in tasks]
    return pd.concat(parts, ignore_index=True)


def _scored(experiment: Experiment, task: str) -> pd.DataFrame:
    SCORERS[task](experiment)
    rows = pd.concat([rows_of(run, task) for run in _runs(experiment, task)])
    keys = [name for name in rows.columns if name != "value"]
    return rows.groupby(keys, as_index=False, sort=False).value.mean()  # over the forecast's own seeds


def _runs(experiment: Experiment, task: str) -> list[Run]:
    bench = Workbench.of(experiment)
    if task == "forecast":
        return [bench.run("forecast", f"-seed{seed}") for seed in experiment.forecast_seeds]
    return [bench.run(experiment.representation if task in ("reconstruction", "latent") else task)]


@dataclass(frozen=True)
class Measure:
    """One number of a task, as tables and figures head it."""

    task: str
    metric: str
    label: str
    setup: str = ""  # empty: any

    def of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows of `frame` that hold it; baselines that have no set-up of their own count for each."""
        own = frame[(frame.task == self.task) & (frame.metric == self.metric)]
        return own[own.setup.isin((self.setup, WHOLE_FIELDS))] if self.setup else own


def measures(experiment: Experiment) -> tuple[Measure, ...]:
    """What a comparison shows of every task, lower being better: forecast of a near and a far day, reconstruction,
    season, drawn fields, the spread of the draws, and the smoothness of the latent path, raw and scale-free."""
    setup = forecast_setup(experiment.settings("forecast"))
    return (
        Measure("forecast", "rrmse_percent_T5", "forecast RRMSE, day 5 (%)", setup),
        Measure("forecast", "rrmse_percent_T25", "forecast RRMSE, day 25 (%)", setup),
        Measure("reconstruction", "mse", "reconstruction MSE, 70 % hidden", "native_mask0.7"),
        Measure("classification", "cross_entropy", "season, cross-entropy"),
        Measure("diffusion", "rrmse_percent", "diffusion RRMSE (%)"),
        Measure("diffusion", "std", "std of the draws"),
        Measure("latent", "temporal_distance_mean", "temporal distance"),
        Measure("latent", "temporal_distance_scaled", "temporal distance, scaled"),
    )


def baseline_values(experiment: Experiment, measures: Sequence[Measure]) -> dict[str, dict[str, float]]:
    """For each measure's label the baseline that a model should beat and its value; none for latent measures."""
    made: dict[str, dict[str, float]] = {}
    for measure in measures:
        if measure.task in BASELINES:
            score, variant, name = BASELINES[measure.task]
            score(experiment)
            run = Workbench.of(experiment).run("baselines", variant(experiment))
            rows = measure.of(rows_of(run, measure.task)).set_index("model").value
            made[measure.label] = {name: float(rows[name])} if name in rows else {}
    return made


def beside_the_paper(frame: pd.DataFrame, measures: Sequence[Measure], paper: pd.DataFrame) -> pd.DataFrame:
    """A row a model, a column a measure: mean ± standard deviation over seeds, and the paper's number."""
    columns = {}
    for measure in measures:
        values = measure.of(frame).groupby("model", sort=False).value
        there = measure.of(paper).drop_duplicates("model").set_index("model").value
        columns[measure.label] = {
            model: _cell(own.mean(), own.std() if len(own) > 1 else None, there.get(_papers_name(str(model))))
            for model, own in values}  # fmt: skip
    return pd.DataFrame(columns).reindex(frame.model.drop_duplicates()).fillna("")


def _papers_name(model: str) -> str:
    """Variants of one of the paper's models are named after it: "sparta_early, equal steps"."""
    return model.split(",")[0]


def _cell(mean: float, spread: float | None, paper: float | None) -> str:
    text = f"{mean:.3g}" if spread is None else f"{mean:.3g} ± {spread:.2g}"
    return text if paper is None else f"{text} ({paper:.3g})"


@dataclass(frozen=True)
class Claim:
    """The paper says that `lower` has the lower `measure` than `higher`."""

    text: str
    measure: Measure
    lower: str
    higher: str

    def verdict(self, frame: pd.DataFrame) -> str:
        """Whether it holds here: the paired difference over seeds, and if it is larger than its own spread."""
        wide = self.measure.of(frame).pivot_table(index="seed", columns="model", values="value")
        difference = (wide[self.higher] - wide[self.lower]).dropna()
        mean = difference.mean()
        if len(difference) > 1 and abs(mean) <= difference.std():
            return "undecided"
        seeds = "one seed" if len(difference) == 1 else f"{len(difference)} seeds"
        return f"{'holds' if mean > 0 else 'does not hold'} ({seeds})"


def verdicts(claims: Sequence[Claim], frame: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """A row a claim: both models' means here, the paper's numbers where it has them, and the verdict."""
    rows = []
    for claim in claims:
        ours = claim.measure.of(frame).groupby("model").value.mean()
        theirs = claim.measure.of(paper).drop_duplicates("model").set_index("model").value
        numbers = [theirs.get(_papers_name(model)) for model in (claim.lower, claim.higher)]
        rows.append((
            claim.text, claim.measure.label, f"{ours[claim.lower]:.3g} < {ours[claim.higher]:.3g}?",
            "" if None in numbers else "{:.3g} < {:.3g}".format(*numbers), claim.verdict(frame),
        ))  # fmt: skip
    return pd.DataFrame(rows, columns=["claim", "measure", "here", "paper", "verdict"]).set_index("claim")
