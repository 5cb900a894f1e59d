"""Timings with a clock that the contenders turn themselves."""

import pytest

from benchmarks import timing
from benchmarks.timing import Contender, Spread, interleaved, ratio, repeated


class FakeClock:
    def __init__(self):
        self.now, self.log = 0.0, []

    def __call__(self):
        return self.now

    def work(self, name, seconds):
        """A contender's run, which takes the next of `seconds` at each call."""
        coming = iter(seconds)

        def run(_):
            self.log.append(name)
            self.now += next(coming)

        return run


def test_contenders_take_turns_and_warm_up_uncounted():
    clock = FakeClock()
    contenders = {
        "ours": Contender(clock.work("ours", [100, 1, 2, 6]), units=2),
        "theirs": Contender(clock.work("theirs", [50, 10, 30, 24])),
    }
    seconds = interleaved(contenders, "cpu", rounds=3, warmup=1, clock=clock)
    assert seconds == {"ours": [0.5, 1, 3], "theirs": [10, 30, 24]}
    assert clock.log == ["ours", "theirs"] * 4


def test_preparation_is_not_timed_and_hands_over():
    clock, given = FakeClock(), []

    def prepare():
        clock.now += 1000
        return "prepared"

    def run(prepared):
        given.append(prepared)
        clock.now += 3

    assert interleaved({"a": Contender(run, 1, prepare)}, "cpu", rounds=2, clock=clock) == {"a": [3, 3]}
    assert given == ["prepared"] * 2


def test_ratio_is_the_median_of_the_rounds_own_ratios():
    """Not the ratio of medians, here 20: what slows a round slows both."""
    assert ratio([10, 40, 60], [1, 10, 2]) == Spread(10, 4, 30)


def test_ratio_needs_both_of_every_round():
    with pytest.raises(ValueError):
        ratio([1, 2], [1])


def test_spread_of_an_even_number_of_rounds():
    assert Spread.of([4, 1, 2, 9]) == Spread(3, 1, 9)


def test_repeated_calls_as_often_as_it_says():
    calls = []
    repeated(lambda: calls.append(1), 3)("ignored")
    assert len(calls) == 3


def test_matmul_peak_counts_two_operations_a_product(monkeypatch):
    """The fastest of the rounds, 2 n^3 operations each."""
    monkeypatch.setattr(timing, "interleaved", lambda *_, **__: {"product": [0.5, 0.25, 1.0]})
    timing.matmul_peak.cache_clear()
    try:
        assert timing.matmul_peak("cpu", "32-true") == 2 * 2048**3 / 0.25
    finally:
        timing.matmul_peak.cache_clear()
