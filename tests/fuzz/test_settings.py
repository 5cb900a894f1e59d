"""Settings and command lines of every wrong kind: an ExperimentError or an experiment, never anything else."""

import contextlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparta_core import __main__ as command
from sparta_core.catalogue import names
from sparta_core.errors import ExperimentError, SpartaError
from sparta_core.experiment import Experiment
from sparta_core.training.runs import Run

FIELDS = list(names())
NAN, INFINITY = float("nan"), float("inf")
ODD = [None, "", "x", "../../x", "\0", "x" * 10_000, -1, 0, 1, 2**70, -(2**70), 0.5, 1e308, NAN, INFINITY, True, b"x",
       [], (), [1], (1, 2), (0.9, 0.9), (2, 1), ("a", "a"), ("a", "b", "c"), [[1]], {}, {"a": 1}, {1}, object(), int,
       (NAN, 0.1), ((("a", "b"), ("c",)),)]  # fmt: skip
# Of these a check says which other setting, or which entry, they do not go with.
TOGETHER = ("view_size", "variables", "batch_size", "fusion")


@pytest.mark.parametrize("name", FIELDS)
def test_an_odd_value_of_any_setting_is_refused_or_taken(name):
    paper = Experiment()
    refused = 0
    for value in ODD:
        try:
            made = paper.replace(**{name: value})
        except ExperimentError as error:
            refused += 1
            assert name in str(error) or "seed" in str(error) or name in TOGETHER
            assert "\n" not in str(error) and len(str(error)) < 20_000
        else:
            assert json.loads(json.dumps(made.settings("decoder"))) is not None
            assert hash(made) == hash(made.replace())
    assert refused > len(ODD) // 3


# Without subnormal floats: on a CPU they count as 0 here.
single = (st.none() | st.booleans() | st.integers() | st.floats(allow_subnormal=False) | st.text(max_size=20)
          | st.binary(max_size=9))  # fmt: skip
odd = st.recursive(single, lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner)
                   | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=6)  # fmt: skip
some_names = st.sampled_from(FIELDS) | st.text(max_size=9)


@given(st.dictionaries(some_names, odd, max_size=4), st.sampled_from(["paper", "demo", "x"]))
def test_any_settings_together(settings, preset):
    try:
        made = Experiment.from_preset(**({"preset": preset} | settings))
    except ExperimentError as error:
        assert "\n" not in str(error)
    else:
        assert made == made.replace()


WORDS = ["forecast", "embed", "--model", "--input", "prepare", "audit", "--cost", "--preset", "demo", "--seed", "1",
         "--data", "--level", "--years", "1999", "bundled", "--fusion", "gnn", "-", "--", "="]  # fmt: skip


@given(st.lists(st.text(max_size=12) | st.sampled_from(WORDS), max_size=6))
def test_any_words_end_the_command_with_a_sentence(words):
    """Words that would start something long are left out: what would be trained is only counted."""
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(told), pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "_announce", lambda *_: None)
        patch.setattr(command, "train", lambda *_: None)
        patch.setattr("sparta_core.data.era5.prepare", lambda *_: "made")
        patch.setattr("sparta_core.commands.data.read_days", _not_read)
        try:
            command.main(words)
        except SystemExit as ended:
            assert ended.code is not None
    assert "Traceback" not in told.getvalue()


def _not_read(experiment):
    raise SpartaError("not read here")


@given(st.sampled_from(["preset", "fusion", "objective", "seed"]), st.text(max_size=30) | st.just("../../../x"))
def test_no_name_leads_out_of_the_runs_folder(name, text):
    try:
        experiment = Experiment.from_preset(**{"preset": "demo", name: text})
    except ExperimentError:
        return
    folder = Run.of(experiment, "decoder", "data").folder
    assert folder.parts[0] == experiment.runs and ".." not in folder.parts
