"""Time contestants side by side: short bursts in turn, so that all meet the same machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Seconds that one burst of calls should take, and how often each contestant has its turn.
BURST, ROUNDS = 0.05, 11
#: Seconds of silence before a contestant's turn. The threads of OpenBLAS, OpenMP and XLA go on
#: spinning for tens of milliseconds after their last task, on the cores that the next one needs.
PAUSE = 0.1
#: Seconds of calls after the pause that are not counted, until times are those of a loop that has
#: gone on for a while: after the pause a virtual machine's cores wake up slowly for 0.1 s.
WARM = 0.15
#: Counts seconds; `time.process_time` where other programs share the machine.
clock: Callable[[], float] = time.perf_counter


@dataclass(frozen=True)
class Ratio:
    """How many times as long as graphc a contestant takes, over all rounds."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f})"


def timed(run: Callable[[], Any], calls: int) -> float:
    """Return the seconds that a call takes, on average over a burst."""
    start = clock()
    for _ in range(calls):
        run()
    return (clock() - start) / calls


def burst_length(run: Callable[[], Any], seconds: float) -> int:
    """Return how many calls fill a burst."""
    run()
    once = min(timed(run, 1) for _ in range(3))
    return max(1, int(seconds / once))


def interleaved(
    runs: Mapping[str, Callable[[], Any]],
    rounds: int = ROUNDS,
    seconds: float = BURST,
    pause: float = PAUSE,
    warm: float = WARM,
) -> dict[str, list[float]]:
    """Return the seconds a call of each contestant, one value a round; the order rotates."""
    calls = {name: burst_length(run, seconds) for name, run in runs.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    names = list(runs)
    for turn in range(rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            time.sleep(pause)
            timed(runs[name], 1 + int(calls[name] * warm / seconds))
            times[name].append(timed(runs[name], calls[name]))
    return times


def ratios(times: Mapping[str, list[float]], base: str) -> dict[str, Ratio]:
    """Return how each contestant compares with the base, round by round."""
    found = {}
    for name, own in times.items():
        each = [a / b for a, b in zip(own, times[base], strict=True)]
        found[name] = Ratio(statistics.median(each), min(each), max(each))
    return found


def largest_difference(
    outcome: Mapping[str, Any], expected: Mapping[str, Any]
) -> tuple[float, str]:
    """Return the largest difference in an array, over its largest element, and the array's name."""
    worst, where = 0.0, ""
    for name, wanted in expected.items():
        wanted, got = (np.asarray(a, np.float64) for a in (wanted, outcome[name]))
        if got.shape != wanted.shape:
            return np.inf, name
        scale = float(np.max(np.abs(wanted), initial=0.0)) or 1.0
        difference = float(np.max(np.abs(got - wanted), initial=0.0)) / scale
        if not difference <= worst:
            worst, where = difference, name
    return worst, where
