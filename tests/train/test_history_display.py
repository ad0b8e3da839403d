"""How a history shows itself: as text, and as a table in a notebook."""

from __future__ import annotations

from graphc.train.history import Epoch, History


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
