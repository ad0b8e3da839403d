"""How a history shows itself: as text, and as a table in a notebook."""

from __future__ import annotations

import numpy as np

from graphc.train.history import Epoch, History
from graphc.train.restarts import Restart


def test_a_history_is_a_table_in_text_and_html() -> None:
    epochs = [Epoch(1, 2.5, {"a<b": 0.25}), Epoch(2, 1.25, {"a<b": 0.5}, {"loss": 3.0})]
    history = History(epochs, stopped="by the stop rule")
    first, *rows, last = str(history).splitlines()
    assert first.split() == ["epoch", "loss", "a<b", "validation", "loss", "seconds"]
    assert rows[1].split()[:4] == ["2", "1.25", "0.5", "3"]
    assert last == "stopped: by the stop rule"
    assert repr(history) == str(history)
    page = history._repr_html_()
    assert page.count("<tr>") == 3
    assert "<th>a&lt;b</th>" in page
    assert "<td>1.25</td>" in page
    assert page.endswith("<p>stopped: by the stop rule</p>")


def test_a_long_run_shows_its_first_epochs_and_its_last() -> None:
    history = History([Epoch(i, 1.0 / i) for i in range(1, 2001)])
    lines = str(history).splitlines()
    numbers = [line.split()[0] for line in lines[1:]]
    assert numbers == [*map(str, range(1, 11)), "⋮", *map(str, range(1991, 2001))]
    assert len({len(line) for line in lines}) == 1  # the columns stay columns
    assert history._repr_html_().count("<tr>") == 22
    assert len(str(History(history.epochs[:60])).splitlines()) == 61


def test_a_restart_shows_neither_its_weights_nor_its_epochs() -> None:
    run = Restart(3, 0.25, {"W": np.zeros((64, 128))}, History([Epoch(1, 0.25)]))
    assert repr(run) == "Restart(seed=3, value=0.25)"
