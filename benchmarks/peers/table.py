"""The tables of RESULTS.md: what each method has reached, what it learned from, and first where ours are beaten."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmarks.peers.archive import KINDS
from benchmarks.peers.measured import Result
from benchmarks.report import amount, line
from benchmarks.timing import Spread

REFERENCE, CLIMATE = "single_day", "climatology"
OURS = (REFERENCE, "constant", "ensemble")
NAMES = {"points": "150 fixed points of all variables", "30 % of the values": "30 % of the values, others each day",
         "3 % of the values": "3 % of the values, others each day"}  # fmt: skip
HEAD = ("observed", "method", "error", "over single-day OI (seeds)", "over it, where nothing is observed",
        "worst variable", "CPU s a day")  # fmt: skip
LEARNED = ("method", "learned and chosen on", "CPU min for it", "what it cannot do: it")


def text(found: Mapping[str, Result], variables: Sequence[str], days: str) -> str:
    """All that is to be said.

    Args:
        found: Results by the methods' names, the reference's among them.
        variables: Names of the fields' variables.
        days: What was scored, as a sentence.
    """
    how = (f"{days} Errors are area-weighted mean squared errors of standardised anomalies, the mean of the variables. "
           "Nothing was chosen on these days.")  # fmt: skip
    return "\n\n".join([" ".join(beaten(found, variables)), how, scores(found, variables), methods(found)])


def beaten(found: Mapping[str, Result], variables: Sequence[str]) -> Iterator[str]:
    """Sentences about where a peer has a smaller error than ours, in the mean or of a variable."""
    ours = [found[name] for name in OURS if name in found]
    peers = [result for name, result in found.items() if name not in (*OURS, CLIMATE)]
    for limit, words in (([found[REFERENCE]], "our single-day optimal interpolation"), (ours, "the best of ours")):
        said = []
        for kind in KINDS:
            best = np.min([one.mse(kind).mean(0) for one in limit], axis=0)
            least = min(one.mse(kind).mean() for one in limit)
            for peer in peers:
                theirs = peer.mse(kind).mean(0)
                ratios = zip(variables, theirs / best, strict=True)
                ahead = [f"{name} {amount(ratio)}x" for name, ratio in ratios if ratio < 1]
                mean = [f"mean of the variables {amount(theirs.mean() / least)}x"] if theirs.mean() < least else []
                if ahead or mean:
                    said.append(f"{peer.title}, {NAMES[kind]}: {', '.join(mean + ahead)}")
        yield f"Better than {words}: {'; '.join(said) or 'no peer, for no variable'}."


def scores(found: Mapping[str, Result], variables: Sequence[str]) -> str:
    """The table of errors, the least first for each kind of observations."""
    lines = [line(HEAD), line(["---"] * len(HEAD))]
    for kind in KINDS:
        for result in sorted(found.values(), key=lambda each: each.mse(kind).mean()):
            lines.append(line([NAMES[kind], *_cells(result, found[REFERENCE], kind, variables)]))
    return "\n".join(lines)


def _cells(result: Result, reference: Result, kind: str, variables: Sequence[str]) -> list[str]:
    mse = result.mse(kind)
    ratio = Spread.of(list(mse.mean(1) / reference.mse(kind).mean(1)))
    spread = f" ({amount(ratio.low)} to {amount(ratio.high)})" if ratio.low != ratio.high else ""
    unseen = result.mse(kind, "unseen").mean() / reference.mse(kind, "unseen").mean()
    each = mse.mean(0) / reference.mse(kind).mean(0)
    worst, seconds = int(each.argmax()), amount(result.seconds(kind)) if result.seconds(kind) > 1e-3 else "under 0.001"
    return [result.title, amount(mse.mean()), f"{amount(ratio.median)}x{spread}", f"{amount(unseen)}x",
            f"{variables[worst]} {amount(each[worst])}x", seconds]  # fmt: skip


def methods(found: Mapping[str, Result]) -> str:
    """The table of what methods learned from, and what each cannot do."""
    rows = [line([each.title, each.learned, "the model's" if name in OURS else amount(each.fit_seconds / 60),
                  each.cannot]) for name, each in found.items()]  # fmt: skip
    return "\n".join([line(LEARNED), line(["---"] * len(LEARNED)), *rows])
