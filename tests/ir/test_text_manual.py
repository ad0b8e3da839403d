"""Every example of the manual of the text form does what the manual says."""

from __future__ import annotations

import re
import warnings
from itertools import pairwise
from pathlib import Path

import pytest

from graphc.build.namespace import FUNCTIONS
from graphc.errors import GraphError, GraphWarning
from graphc.ir.text.parser import parse
from graphc.ir.text.printer import graph_text
from graphc.ir.verify import verify

MANUAL = Path(__file__).parent.parent.parent / "docs" / "text-form.md"
BLOCKS = re.findall(r"```([a-z ]+)\n(.*?)```", MANUAL.read_text(encoding="utf-8"), re.DOTALL)
GRAPHS = [text for kind, text in BLOCKS if kind.startswith("graph") and kind != "graph wrong"]
PAIRS = list(pairwise(BLOCKS))
PRINTED = [(text, after) for (_, text), (kind, after) in PAIRS if kind == "graph printed"]
ERRORS = [(text, after) for (_, text), (kind, after) in PAIRS if kind == "error"]


@pytest.mark.parametrize("text", GRAPHS)
def test_examples_are_graphs(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GraphWarning)
        graph = parse(text, FUNCTIONS)
        verify(graph)
        assert parse(graph_text(graph), FUNCTIONS) == graph


@pytest.mark.parametrize(("text", "printed"), PRINTED)
def test_examples_are_printed_as_shown(text: str, printed: str) -> None:
    assert graph_text(parse(text, FUNCTIONS)) == printed


@pytest.mark.parametrize(("text", "message"), ERRORS)
def test_examples_of_errors(text: str, message: str) -> None:
    with pytest.raises(GraphError) as caught:
        parse(text, FUNCTIONS, "m.graph")
    assert f"{caught.value}\n" == message


def test_the_manual_has_examples_of_each_kind() -> None:
    assert len(GRAPHS) >= 8 and len(PRINTED) >= 2 and len(ERRORS) >= 2
