"""Experiments side by side: every task, several seeds, beside the paper's numbers and claims."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from sparta_core.baselines.climatological import Window
from sparta_core.data.days import DataSettings, DownstreamSplit, Storage
from sparta_core.evaluation.scorecard import method, rows_of
from sparta_core.experiment import Experiment, Randomness
from sparta_core.observe import DownstreamMask, Errors, Observation, placed
from sparta_core.presets import PAPERS
from sparta_core.progress import duration
from sparta_core.settings import Section
from sparta_core.tasks import Measure, task_of, tasks
from sparta_core.training.device import Device
from sparta_core.training.records import run_of

# What the paper's models take over from the experiment that they stand beside.
SHARED: tuple[type[Section], ...] = (Device, Storage, Randomness, DataSettings, DownstreamSplit, DownstreamMask,
                                     Observation, Errors, Window)  # fmt: skip
SHARED_NAMES = ("runs", "sparsity", "fusion", "hard_negatives", "cycle_weight", "look_back", "stride", "leads",
                "start_every", "draws")  # fmt: skip


def models(experiment: Experiment) -> dict[str, Experiment]:
    """What notebooks set side by side, by name: the experiment's model, and the paper's two on the same days.

    The experiment's is named as in the scorecard: SPARTA-OI, as the presets have it.
    """
    own = experiment.preset == PAPERS[experiment.preset]
    sections = [type(experiment.of(section)) for section in SHARED]
    names = [*SHARED_NAMES, *(name for section in sections for name in section.model_fields)]
    shared = {name: getattr(experiment, name) for name in names}
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
    return {method(experiment): experiment for experiment in experiments}


def trained(variants: Mapping[str, Experiment]) -> dict[str, Experiment]:
    """Those whose representation is finished."""
    return {name: one for name, one in variants.items() if run_of(one, one.representation).finished}


def compare(variants: Mapping[str, Experiment], seeds: Sequence[int], names: Sequence[str] | None = None
            ) -> pd.DataFrame:  # fmt: skip
    """Every task of every variant and seed, or those called `names`: rows of the scorecard, `model` the variant's name.

    Finished stages and scores are reused, missing ones trained; a line a variant says how long is left.
    """
    first = next(iter(variants.values()))
    chosen = [task_of(first, name).name for name in (tasks(first) if names is None else names)]
    plan = [(name, one.replace(seed=seed)) for seed in seeds for name, one in variants.items()]
    begun, parts = time.monotonic(), []
    for done, (name, experiment) in enumerate(plan):
        left = (time.monotonic() - begun) / done * (len(plan) - done) if done else None
        print(f"[{done + 1}/{len(plan)}] {name}, seed {experiment.seed}"
              + (f": about {duration(left)} left" if left is not None else ""), flush=True)
        parts += [_scored(experiment, task).assign(model=name) for task in chosen]
    return pd.concat(parts, ignore_index=True)


def _scored(experiment: Experiment, name: str) -> pd.DataFrame:
    task = task_of(experiment, name)
    task.score(experiment)
    rows = pd.concat([rows_of(run, name) for run in task.runs(experiment)])
    keys = [column for column in rows.columns if column != "value"]
    return rows.groupby(keys, as_index=False, sort=False).value.mean()  # over the forecast's own seeds


def measures(experiment: Experiment, names: Sequence[str] | None = None) -> tuple[Measure, ...]:
    """What a comparison shows of every task, or of those called `names` in their order, lower being better."""
    chosen = [task_of(experiment, name) for name in (tasks(experiment) if names is None else names)]
    return tuple(measure for task in chosen for measure in task.measures(experiment))


def baseline_values(experiment: Experiment, measures: Sequence[Measure]) -> dict[str, dict[str, float]]:
    """For each measure's label the baseline that a model should beat and its value; none for latent measures."""
    made: dict[str, dict[str, float]] = {}
    for measure in measures:
        task = task_of(experiment, measure.task)
        if task.benchmark:
            task.score_baselines(experiment)
            run = task.baselines(experiment)
            rows = measure.of(rows_of(run, task.name)).set_index("model").value
            made[measure.label] = {task.benchmark: float(rows[task.benchmark])} if task.benchmark in rows else {}
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
