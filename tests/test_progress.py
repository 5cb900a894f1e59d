"""What a person reads while waiting."""

import io

import pytest

from sparta_core import progress
from sparta_core.progress import Progress, duration


@pytest.mark.parametrize(("seconds", "text"), [
    (0.4, "0 s"), (42, "42 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min"),
    (100 * 3600, "100 h 00 min"), (-5, "0 s")])
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_an_epoch_is_one_line_with_the_time_left(clock, capsys):
    """10 s for the first of five epochs leaves 40; resumed after three, 10 s for one leaves 10."""
    shown = Progress("blend", 5, 0, 3)
    for step in range(3):
        clock[0] += 3
        shown.step(step)
    clock[0] += 1
    shown.epoch_end({"training next_day": 1.23456, "validation next_day": 2.0})
    assert capsys.readouterr().out == "blend: epoch 1/5: training next day 1.235, validation next day 2, 40 s left\n"
    resumed = Progress("blend", 5, 3, 3)
    clock[0] += 10
    resumed.epoch_end({"training": 1.0})
    clock[0] += 10
    resumed.epoch_end({"training": 1.0})
    assert capsys.readouterr().out.splitlines() == [
        "blend: epoch 4/5: training 1, 10 s left", "blend: epoch 5/5: training 1, took 20 s"]


def test_a_long_epoch_speaks_up_now_and_then(clock, capsys):
    """Four steps of 20 s in one epoch of two: a line after 40 and 80 s, the rest extrapolated."""
    shown = Progress("pretrain", 2, 0, 4)
    for step in range(4):
        clock[0] += 20
        shown.step(step)
    assert capsys.readouterr().out.splitlines() == [
        "pretrain: epoch 1/2, step 2/4, 2 min 00 s left", "pretrain: epoch 1/2, step 4/4, 1 min 20 s left"]


@pytest.mark.parametrize(("encoding", "told"), [("utf-8", "données"), ("ascii", r"donn\xe9es"), ("latin-1", "données")])
def test_letters_that_the_terminal_lacks_are_their_numbers(monkeypatch, encoding, told):
    terminal = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(terminal, encoding=encoding))
    progress.say("données")
    assert terminal.getvalue().decode(encoding) == f"{told}\n"
