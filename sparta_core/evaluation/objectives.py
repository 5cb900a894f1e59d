"""Does contrast help? Every objective on every backbone, at as much work, and of each task the winner."""

from collections.abc import Mapping, Sequence

import pandas as pd
import scipy  # whose parts load when they are asked for

from sparta_core.experiment import Experiment
from sparta_core.objectives.contrastive import at_equal_steps
from sparta_core.tasks import Measure
from sparta_core.typed import check_choice

NONE = "none"  # the autoencoder
CONTRAST = {"SimCLR": (False, 0.0), "+ hard negatives": (True, 0.0), "+ cycle": (False, 1.0), "all": (True, 1.0)}
CONFIDENCE = 0.95


def objective_variants(bases: Mapping[str, Experiment], names: Sequence[str] = tuple(CONTRAST)
                       ) -> dict[str, Experiment]:  # fmt: skip
    """Of each base, by the name of its backbone, none and the objectives `names` at as much work: "globe, SimCLR".

    As many steps as with hard negatives, and as many views through the encoder: three in a step of stage 1, four in
    one of stage 2, one of stage 3 and of the autoencoder.
    """
    for name in names:
        check_choice("objective", name, tuple(CONTRAST))
    made = {}
    for backbone, base in bases.items():
        views = 3 * base.pretrain_epochs + 4 * base.blend_epochs + base.decoder_epochs
        made[f"{backbone}, {NONE}"] = base.replace(objective="autoencoder", autoencoder_epochs=views)
        for name in names:
            hard_negatives, cycle_weight = CONTRAST[name]
            one = base.replace(objective="contrastive", hard_negatives=hard_negatives, cycle_weight=cycle_weight)
            made[f"{backbone}, {name}"] = at_equal_steps(one)
    return made


def means(frame: pd.DataFrame, measures: Sequence[Measure]) -> pd.DataFrame:
    """A row a model, a column a measure: the mean over seeds and its interval, as in `winners`."""
    values = {measure.label: measure.of(frame).groupby("model", sort=False).value for measure in measures}
    return pd.DataFrame({label: own.apply(_interval, digits=".3g") for label, own in values.items()})


def winners(frame: pd.DataFrame, measures: Sequence[Measure]) -> pd.DataFrame:
    """A row a measure and backbone: the best objective, and what the best contrast gains over none, in percent.

    `frame` is that of `compare` on `objective_variants`. The interval is Student's, of 95 %, over the seeds'
    differences; one seed has none. Lower is better in every measure.
    """
    rows = []
    for measure in measures:
        wide = measure.of(frame).pivot_table(index="seed", columns="model", values="value")
        for backbone in dict.fromkeys(name.rpartition(", ")[0] for name in wide.columns):
            own = wide[[name for name in wide.columns if name.startswith(f"{backbone}, ")]]
            none, others = own[f"{backbone}, {NONE}"], own.drop(columns=f"{backbone}, {NONE}").mean()
            best = str(others.idxmin())
            gain = 100 * (none - wide[best]) / none.mean()
            overall = NONE if none.mean() <= others.min() else best.rpartition(", ")[2]
            rows.append({"measure": measure.label, "backbone": backbone, "winner": overall,
                         "best contrast": best.rpartition(", ")[2],
                         "gain over none (%)": _interval(gain, ".1f")})  # fmt: skip
    return pd.DataFrame(rows).set_index(["measure", "backbone"])


def _interval(values: pd.Series, digits: str) -> str:
    """Mean and, of two or more, half the width of its interval; `digits` as a format has them."""
    if len(values) < 2:
        return f"{values.mean():{digits}}"
    half = scipy.stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * values.std() / len(values) ** 0.5
    return f"{values.mean():{digits}} ± {half:{digits}}"
