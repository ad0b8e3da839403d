"""The example of transfer learning reaches its figures."""

from pathlib import Path

from example_scripts import main_of, saved


def test_transfer_learning(tmp_path: Path) -> None:
    figures = main_of("transfer_learning")(tmp_path)
    assert figures["frozen body"] > 0.97
    assert figures["frozen body"] > figures["bare pixels"] + 0.02
    assert figures["nearest"] > 0.98
    assert saved(tmp_path, "transfer_learning.png")
