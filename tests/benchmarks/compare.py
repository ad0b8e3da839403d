"""How fast is what graphc emits? Against NumPy by hand and four frameworks, side by side.

`make bench` sets up the peers and runs this; it prints a table a workload and writes
docs/benchmarks.md. `python tests/benchmarks/compare.py mlp-small gelu-1e5` runs some workloads and
writes nothing; `floor` stands for the table of floors. With `--cpu` first it counts CPU time, all
threads together: what can be compared where other programs keep the cores busy; give each library
one thread then. `--kernels Haswell` holds BLAS to kernels for that processor.

All contestants compute the same numbers, which is checked before anything is timed.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import fresh
import kernels
import measure
import numpy as np
from measure import Ratio, interleaved, largest_difference, ratios
from memory import measured, predicted
from peers import CONTESTANTS, AbsenceError, graphc
from workload import Workload
from workloads import lstm, mlp
from workloads.all import WORKLOADS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
#: What stands between these lines of the page is written by this file.
BEGIN, END = "<!-- begin: make bench -->\n", "<!-- end: make bench -->\n"
#: Programs whose calls are so small that their number decides.
FLOOR = {
    **{name: WORKLOADS[name] for name in ("mlp-small", "lstm-small", "gelu-1e3")},
    "mlp-least": lambda: mlp.workload((8, 16, 16, 4), 8),
    "lstm-least": lambda: lstm.workload(100, 1, 16, 16),
}
#: How much faster than naive code hand-planned NumPy was before graphc existed: the least to reach.
PLANNED = {
    "mlp-large": 2.7,
    "mlp-small": 1.0,
    "lstm-large": 1.3,
    "lstm-small": 0.83,
    "gelu-4e6": 1.6,
    "gelu-1e5": 0.9,
    "convolution-5x5": 2.7,
    "convolution": 1.4,
}
MEMORY = (
    "mlp-large",
    "attention",
    "gaussian-mixture",
    "skip-gram",
    "character-rnn",
    "lstm-large",
    "convolution",
    "lenet",
)


@dataclass
class Result:
    """One workload: seconds a call (least and median), ratios to graphc, and who was left out."""

    name: str
    seconds: dict[str, tuple[float, float]] = field(default_factory=dict)
    ratios: dict[str, Ratio] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def compared(work: Workload) -> Result:
    """Return the times of all contestants that take part, after comparing what they compute."""
    result = Result(work.name)
    runs, expected = {}, None
    for name, make in CONTESTANTS.items():
        if name.lower() in work.left_out:
            result.left_out[name] = work.left_out[name.lower()]
            continue
        try:
            run, outcome = make(work)
            got = {key: np.array(value) for key, value in outcome(run()).items()}
        except (AbsenceError, ImportError) as reason:
            if str(reason):
                result.left_out[name] = str(reason)
            continue
        except Exception as reason:  # a peer that fails is a row of the report, not the end of it
            if name in ("graphc", "NumPy by hand", "naive NumPy"):
                raise
            result.left_out[name] = f"fails: {type(reason).__name__}"
            continue
        expected = expected or got
        difference, where = largest_difference(got, expected)
        if difference > work.tolerance:
            raise ArithmeticError(f"{work.name}: {name} differs in {where} by {difference:.1e}")
        runs[name] = run
    times = interleaved(runs)
    result.seconds = {n: (min(each), statistics.median(each)) for n, each in times.items()}
    result.ratios = ratios(times, "graphc")
    return result


def printed(result: Result) -> str:
    """Return one workload's table for a terminal."""
    lines = [result.name]
    for name, (least, median) in result.seconds.items():
        ratio = result.ratios[name]
        lines.append(f"  {name:14} {1e6 * least:12.1f} µs {1e6 * median:12.1f} µs   {ratio}")
    lines += [f"  {name:14} {reason}" for name, reason in result.left_out.items()]
    return "\n".join(lines)


# -- the page ------------------------------------------------------------------------------------


def speed_table(results: dict[str, Result]) -> list[str]:
    names = [name for name in CONTESTANTS if name != "graphc"]
    lines = [
        "| workload | graphc, µs | " + " | ".join(names) + " |",
        "|---|---:|" + "---:|" * len(names),
    ]
    for result in results.values():
        cells = [str(result.ratios[n]) if n in result.ratios else "–" for n in names]
        median = 1e6 * result.seconds["graphc"][1]
        lines.append(f"| {result.name} | {median:,.0f} | {' | '.join(cells)} |")
    return lines


def floor_table() -> list[str]:
    """Return what the same programs take with every size 2: the calls, and nothing else.

    No library with threads of its own takes part, so the two may alternate quickly and meet the
    same state of the machine, which changes within a second.
    """
    lines = ["| workload | graphc, µs | floor, µs | ratio |", "|---|---:|---:|---:|"]
    for make in FLOOR.values():
        work = make()
        if work.small is None:
            continue
        runs = {"graphc": graphc(work)[0], "floor": graphc(work.small())[0]}
        times = interleaved(runs, rounds=301, seconds=0.005, pause=0, warm=0)
        own, least = (1e6 * statistics.median(times[name]) for name in runs)
        ratio = statistics.median(
            a / b for a, b in zip(times["graphc"], times["floor"], strict=True)
        )
        lines.append(f"| {work.name} | {own:.1f} | {least:.1f} | {ratio:.2f} |")
    return lines


def naive_table(results: dict[str, Result]) -> list[str]:
    """Return how much faster than naive NumPy graphc and the best by hand are."""
    titles = ("workload", "to reach", "graphc", "NumPy by hand", "graphc, fresh memory")
    lines = [f"| {' | '.join(titles)} |", "|---|---:|---:|---:|---:|"]
    for name, least in PLANNED.items():
        if name in results:
            naive, by_hand = (results[name].ratios[n] for n in ("naive NumPy", "NumPy by hand"))
            cells = (least, naive, f"{naive.median / by_hand.median:.2f}", fresh.measured(name))
            lines.append(f"| {results[name].name} | {' | '.join(map(str, cells))} |")
    return lines


def memory_table(results: dict[str, Result]) -> list[str]:
    names = ("graphc", "NumPy by hand", "PyTorch")
    titles = ("workload", "graphc, predicted", *names)
    lines = [f"| {' | '.join(titles)} |", "|---|" + "---:|" * (len(titles) - 1)]
    for workload in MEMORY:
        if workload in results:
            sizes = [measured(workload, name) for name in names]
            sizes.insert(0, predicted(WORKLOADS[workload]()))
            cells = ["–" if size is None else f"{size / 2**20:.1f}" for size in sizes]
            lines.append(f"| {results[workload].name} | {' | '.join(cells)} |")
    return lines


def left_out_lines(results: dict[str, Result]) -> list[str]:
    reasons = [
        f"- {name}, {result.name}: {reason}"
        for result in results.values()
        for name, reason in result.left_out.items()
    ]
    return ["Not taking part:", "", *reasons, ""] if reasons else []


def machine() -> str:
    """Say on how many cores was measured, and by which clock."""
    if measure.clock is time.process_time:
        return "CPU time, one thread each"
    return f"{os.cpu_count()} cores"


def write_page(results: dict[str, Result]) -> None:
    """Write the measured part of the page; the words around it stay as they are."""
    versions = [f"NumPy {np.__version__}"]
    for module in ("torch", "jax", "pytensor"):
        if module in sys.modules:
            versions.append(f"{module} {sys.modules[module].__version__}")
    parts = [
        f"{machine()}, float32; {', '.join(versions)}; BLAS has kernels for {kernels.chosen()}.",
        "",
        *speed_table(results),
        "",
        *left_out_lines(results),
        "### Naive NumPy",
        "",
        "How many times as long as graphc, and as the best by hand, a transcription of the",
        "formulas takes; the least to reach is what planning by hand gained before graphc existed.",
        "Last, where each large array is fresh memory, as in a process that has freed none yet.",
        "",
        *naive_table(results),
        "",
        "### The floor",
        "",
        "The same programs with every size 2: what the calls cost with next to nothing to do.",
        "",
        *floor_table(),
        "",
        "### Memory",
        "",
        "Largest growth of resident memory, in MiB, over data, parameters and libraries; in front,",
        "what `Graph.cost()` predicts.",
        "",
        *memory_table(results),
        "",
    ]
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text(head + BEGIN + "\n".join(parts) + END + tail, encoding="utf-8")


def main() -> None:
    warnings.simplefilter("ignore")
    asked = sys.argv[1:]
    kernels.choose(asked)
    if "--cpu" in asked:
        asked.remove("--cpu")
        measure.clock = time.process_time
    results = {}
    for name in [name for name in asked or WORKLOADS if name != "floor"]:
        results[name] = compared(WORKLOADS[name]())
        sys.stdout.write(printed(results[name]) + "\n\n")
        sys.stdout.flush()
    if "floor" in asked:
        sys.stdout.write("\n".join(floor_table()) + "\n")
    if not asked:
        write_page(results)


if __name__ == "__main__":
    main()
