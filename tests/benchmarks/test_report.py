"""RESULTS.md: a run replaces its own tables and keeps everything else; goals say met or missed."""

import pytest

from benchmarks.report import Goal, Row, amount, parsed, record, table
from benchmarks.timing import Spread


def test_a_run_replaces_its_own_table_and_keeps_the_others(tmp_path):
    path = tmp_path / "RESULTS.md"
    record(path, "A processor, cpu", "views", "| old |")
    record(path, "A processor, cpu", "step", "| step |")
    record(path, "A card, cuda", "views", "| card |\n| second line |")
    record(path, "A processor, cpu", "views", "| new |")
    expected = {"A processor, cpu": {"views": "| new |", "step": "| step |"},
                "A card, cuda": {"views": "| card |\n| second line |"}}  # fmt: skip
    text = path.read_text()
    assert parsed(text) == expected and "old" not in text
    assert text.count("# Results\n") == 1 and text.count("## A processor, cpu\n") == 1


def test_recording_the_same_again_changes_nothing(tmp_path):
    path = tmp_path / "RESULTS.md"
    record(path, "machine", "views", "| a |\n")
    before = path.read_text()
    record(path, "machine", "views", "| a |\n")
    assert path.read_text() == before


@pytest.mark.parametrize(("goal", "reached", "expected"), [
    (Goal(40), 31.2, "goal 40x: missed (31.2x)"),
    (Goal(40), 40.0, "goal 40x: met (40x)"),
    (Goal(4, at_least=False), 3.5, "goal 4x at most: met (3.5x)"),
    (Goal(4, at_least=False), 4.1, "goal 4x at most: missed (4.1x)"),
])  # fmt: skip
def test_verdicts(goal, reached, expected):
    assert goal.verdict(reached, "x") == expected


def test_a_row_judges_its_median():
    row = Row("views", "80 anchors/s", "2 anchors/s", Spread(31, 29, 45), Goal(40))
    assert row.cells == ("views", "80 anchors/s", "2 anchors/s", "31x (29 to 45)", "goal 40x: missed (31x)")


def test_a_row_without_a_ratio_has_empty_cells():
    assert Row("peak", "2 GB", ratio=None, goal=Goal(1)).cells == ("peak", "2 GB", "", "", "")


def test_a_share_is_in_percent():
    assert Row("share", "1", "2", Spread(7.0, 7.0, 7.0), Goal(10, False), " %").cells[3:] == (
        "7 %", "goal 10 % at most: met (7 %)")  # fmt: skip


def test_a_table_has_as_many_cells_in_every_line():
    lines = table([Row("a", "b"), Row("a", "b", "c", Spread(1, 1, 1), Goal(2))]).splitlines()
    assert len(lines) == 4 and {line.count("|") for line in lines} == {6}


@pytest.mark.parametrize(("number", "text"), [(0.01234, "0.0123"), (4.567, "4.57"), (99.96, "100"), (1234.5, "1,234")])
def test_amounts(number, text):
    assert amount(number) == text
