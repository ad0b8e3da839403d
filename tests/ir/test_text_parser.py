"""Reading the text form: what each statement builds, and where each mistake is shown."""

from __future__ import annotations

import re
import time
import warnings
from pathlib import Path

import pytest

from graphc.build.namespace import FUNCTIONS
from graphc.errors import GraphError, GraphWarning
from graphc.ir.dim_symbols import dim_symbol
from graphc.ir.graph import Graph
from graphc.ir.text.errors import GraphTextError
from graphc.ir.text.parser import parse
from graphc.ops import OPS

HEAD = "x: input(f32, N, 4)\nW: param(f32, 4, 3)\n"


def read(text: str) -> Graph:
    return parse(text, FUNCTIONS, "m.graph")


def mistake(text: str) -> GraphTextError:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GraphWarning)
        with pytest.raises(GraphTextError) as caught:
            read(text)
    return caught.value


# -- what statements build -----------------------------------------------------------------------


def test_the_contract_example() -> None:
    graph = read(
        '''"""Softmax regression."""
x: input(f32, N, 784)
y: input(i64, N)
W: param(f32, 784, 10, init=glorot_uniform())
b: param(f32, 10)

z: f32[N, 10] = x @ W + b
p = exp(z) / sum(exp(z), axis=1, keepdims=True)
loss = -mean(log(take_along_axis(p, y[:, None], axis=1)))
output(loss, p)
'''
    )
    assert graph.name == "graph" and graph.doc == "Softmax regression."
    assert [str(node.type) for node in graph.outputs.values()] == ["f32[]", "f32[N, 10]"]
    assert list(graph.params) == ["W", "b"] and graph.dims == ("N",)
    assert repr(graph.params["W"].attrs["init"]) == "glorot_uniform()"
    assert graph.params["b"].attrs["init"] is None
    names = {node.name for node in graph.nodes if node.name}
    assert names == {"x", "y", "W", "b", "z", "p", "loss"}


def test_nodes_point_at_their_line_and_scope() -> None:
    graph = read(
        'x: input(f32)\nwith scope("encoder"):\n    with phase("backward"), scope("cell"):\n'
        "        h = exp(x)\n    k = tanh(\n        h\n    )\ny = h + k\noutput(y)\n"
    )
    found = {node.name: node.provenance for node in graph.nodes}
    assert [found[name].origin.line for name in ("h", "k", "y")] == [4, 5, 8]
    assert {provenance.origin.file for provenance in found.values()} == {"m.graph"}
    assert [found[name].scope for name in ("h", "k", "y")] == ["encoder/cell", "encoder", ""]
    assert [found[name].phase for name in ("h", "k")] == ["backward", "forward"]


def test_a_second_name_for_a_node_is_no_second_node() -> None:
    x = OPS["input"]("x", (3,))
    y = OPS["exp"](x)
    graph = read("x: input(f32, 3)\na = x\ny = exp(a)\nz = y\noutput(z, a, again=y)")
    assert graph == Graph({"z": y, "a": x, "again": y})
    assert graph.outputs["z"] is graph.outputs["again"]
    assert graph.outputs["z"].name == "y"


def test_values_of_a_function_that_returns_several() -> None:
    graph = read("x: input(f32, 6)\na, b = split(x, 2)\ny = a * b\noutput(y)")
    assert graph.outputs["y"].type == OPS["input"]("t", (3,)).type
    assert [graph.labels[node] for node in graph.outputs["y"].inputs] == ["a", "b"]


def test_dims_numbers_and_arrays() -> None:
    graph = read(
        "x: input(f32, 2*N + 1, (H - 3)//2 + 1)\nM = N // 2\nrate = -0.5e1\n"
        "y = rate * x / (2*M)\nw: param(f32, M)\nz = y[1:N, None, ..., -1]\n"
        "c = constant([[1, 2], [3, -inf]], dtype=f64)\noutput(z, w, c)"
    )
    N = dim_symbol("N")
    assert graph.outputs["z"].shape == (N - 1, 1)
    assert str(graph.outputs["w"].type) == "f32[N//2]"
    assert str(graph.outputs["c"].type) == "f64[2, 2]"


def test_layers_and_functions_as_arguments() -> None:
    graph = read(
        'x: input(f32, N, 8)\nh = dense(x, 5, activation=relu, name="hidden1")\n'
        "y = dense(h, 3)\noutput(y)"
    )
    assert "hidden1.W" in graph.params
    assert graph.outputs["y"].type == OPS["input"]("t", ("N", 3)).type


def test_updates() -> None:
    graph = read(HEAD + "y = sum(x @ W)\nupdate(W, W - 0.1 * ones((4, 3)))\noutput(y)")
    assert list(graph.updates) == ["W"]
    assert graph.updates["W"].op.name == "subtract"


def test_windows_line_ends_tabs_comments_and_a_byte_order_mark() -> None:
    text = (
        "\ufeff# a comment\r\n\r\nx: input(f32)  # (unclosed\r\nwith scope('#a'):  # b\r\n"
        "\ty = (x +  # c\r\n  1)\r\n\r\n\t# d\r\n\tz = x + \\\r\n2\r\noutput(y, z)"
    )
    graph = read(text)
    assert [graph.outputs[name].provenance.origin.line for name in "yz"] == [5, 9]
    assert graph.outputs["z"].provenance.scope == "#a"


def test_an_unused_parameter_warns() -> None:
    with pytest.warns(GraphWarning, match="'W' is not used"):
        read(HEAD + "output(x)")


# -- mistakes: the whole message ------------------------------------------------------------------

MESSAGES = {
    "y = softmx(x)": """
m.graph:3:5: no function is called 'softmx'
    y = softmx(x)
        ^^^^^^
  fix       did you mean 'softmax'?""",
    "y = x @ w": """
m.graph:3:9: no value is called 'w'
    y = x @ w
            ^
  expected  a name that stands on an earlier line
  fix       did you mean 'W'?""",
    "y: f32[N, 4] = x @ W": """
m.graph:3:4: y has another type than is written
    y: f32[N, 4] = x @ W
       ^^^^^^^^^
  got       f32[N, 3]
  expected  f32[N, 4]""",
    "y = 1 + sum(x, axs=1)": """
m.graph:3:16: sum has no argument 'axs'
    y = 1 + sum(x, axs=1)
                   ^^^^^
  expected  sum(x, axis, dtype, keepdims)
  fix       did you mean 'axis'?""",
    'with scope("é"):\n    ж = x * y': """
m.graph:4:13: no value is called 'y'
        ж = x * y
                ^
  expected  a name that stands on an earlier line
  fix       declare it above: y: input(f32, …), or y: param(f32, …)""",
    "y = exp(x": """
m.graph:3:8: cannot read this: '(' was never closed
    y = exp(x
           ^
  expected  one statement, such as `z = x @ W + b`""",
    "y = z + 1\nz = y + 1": """
m.graph:3:5: 'z' gets its value only on line 4
    y = z + 1
        ^
  fix       move that line up; a value cannot depend on itself""",
    "y: f32[M, 3] = x @ W": """
m.graph:3:8: no dim is called 'M'
    y: f32[M, 3] = x @ W
           ^
  expected  N""",
    "y = (x\n  + qq)": """
m.graph:4:5: no value is called 'qq'
      + qq)
        ^^
  expected  a name that stands on an earlier line
  fix       declare it above: qq: input(f32, …), or qq: param(f32, …)""",
    "\ty = x": """
m.graph:3:2: the indentation fits no open block
    \ty = x
    \t^
  expected  the indentation of the lines above""",
    "update(W, x)": """
m.graph:3:11: the next value of 'W' has another type
    update(W, x)
              ^
  got       f32[N, 4]
  expected  f32[4, 3]""",
    "y = x @ W": """
m.graph:3:10: the text ends without an output
    y = x @ W
             ^
  expected  output(name) as the last line
  fix       is the file complete?""",
}


@pytest.mark.parametrize("line", MESSAGES)
def test_the_whole_message(line: str) -> None:
    assert str(mistake(HEAD + line)) == MESSAGES[line][1:]


@pytest.mark.parametrize(
    ("line", "place", "what"),
    [
        ("x: input(f32, 3)", "3:1", "already on line 1"),
        ("q: input(3)", "3:10", "starts with a dtype"),
        ("q: input(f32, -1)", "3:15", "negative"),
        ("q: input(f32, x)", "3:15", "not a dim"),
        ("q: param(f32, 4, inti=zeros())", "3:18", "no argument 'inti'"),
        ('q: input(f32, name="x")', "3:4", "two inputs or parameters are called 'x'"),
        ("y: f99[3] = x", "3:4", "not a type"),
        ("y: f32[3]", "3:4", "not a declaration"),
        ("y = input(f32, 3)", "3:5", "declaration"),
        ("N = 3", "3:1", "'N' is a dim since line 1"),
        ("f32 = x", "3:1", "a word of the text form"),
        ("y = exp", "3:5", "must be a node"),
        ("y, z = exp(x)", "3:1", "2 names for 1 value"),
        ("a = b = x", "3:5", "one name on the left"),
        ("x.y = x", "3:1", "only a name"),
        ("exp(x)", "3:1", "goes nowhere"),
        ("'text'", "3:1", "goes nowhere"),
        ("y = exp(x, x)", "3:5", "exp takes 1 argument"),
        ("y = sum(x, axis=7)", "3:5", "axis 7 is out of bounds"),
        ("y = x + log(x @ W.T)", "3:13", "inner dims differ"),
        ("y = x[1, 2, 3]", "3:5", "too many indices"),
        ("y = 'abc' * 3", "3:5", "needs nodes or numbers"),
        ("y = 9**9**9**9", "3:8", "exponent"),
        ("y = ((9**64)**64)**64", "3:6", "exponent"),
        ("y = x * (1/0)", "3:10", "division by zero"),
        ("y = x * (N & 2)", "3:10", "dims and numbers"),
        ("y = x * (-8)**0.5", "3:9", "not a real number"),
        ("y = x.sum(axis=1)", "3:5", "methods and modules are no part"),
        ("y = x.shape", "3:5", "attribute 'shape'"),
        ("y = 0 < x < 1", "3:5", "chained"),
        ("relu = exp(x)\nz = relu(x)", "4:5", "is a value here"),
        ("output(q)", "3:8", "no value is called 'q'"),
        ("output()", "3:1", "names nothing"),
        ("output(x, x)", "3:11", "two outputs are called 'x'"),
        ("output(x + 1)", "3:8", "an output needs a name"),
        ("output(y=3)", "3:10", "an output must be a node"),
        ("output(**x)", "3:10", "table of outputs"),
        ("update(x, x)", "3:8", "only a parameter"),
        ("update(W)", "3:1", "not an update"),
        ("update(W, W)\nupdate(W, W)", "4:8", "two updates"),
        ("y = named(x, 3)", "3:5", "not a named value"),
        ("y = 1 + named(x, 'q')", "3:9", "named(...) stands only"),
        ("y = node(foo, x)", "3:5", "no op is called 'foo'"),
        ("y = node(reshape, x, shape=(3,))", "3:5", "the number of elements changes"),
        ("with scope(x):\n    y = x", "3:6", "not a block"),
        ("with open('f'):\n    y = x", "3:6", "not a block"),
        ("with phase('sideways'):\n    y = x", "3:12", "no such phase"),
        ("with scope('a') as b:\n    y = x", "3:6", "not a block"),
        ("with scope('a'):\noutput(x)", "4:1", "the block is empty"),
        ("with scope('a'):", "3:17", "the block is empty"),
        ("with scope('a')\n    y = x", "3:16", "expected ':'"),
        ("y = x\n    z = x", "4:5", "indentation"),
        ("with scope('a'):\n    y = x\n  z = x", "5:3", "indentation"),
        ("y = x y", "3:7", "cannot read this"),
        ("y = x[10", "3:6", "never closed"),
        ("y = x)", "3:6", "unmatched"),
        ("y = 'abc", "3:5", "unterminated"),
        ('y = """abc\nz = x', "3:5", "unterminated"),
        ("y = 0" + "9" * 5000, "3:5", "cannot read this"),
    ],
)
def test_the_place_of_a_mistake(line: str, place: str, what: str) -> None:
    error = mistake(HEAD + line)
    assert what in error.what
    assert f"{error.line}:{error.column}" == place
    _, source, caret, *_ = str(error).splitlines()
    if len(source) < 90:
        assert source == "    " + (HEAD + line).splitlines()[error.line - 1]
        assert caret.index("^") == 4 + error.column - 1


@pytest.mark.parametrize(
    ("lines", "fix"),
    [
        ("sum = x + 1\ny = sum(x)", "call the value sum_, and sum(...) is the function again"),
        ("y = embedding(x, 10, 2)", "cast it: astype(i, 'int64')"),
    ],
)
def test_a_fix_can_be_typed_into_the_text(lines: str, fix: str) -> None:
    with pytest.raises(GraphError) as raised:
        read(f"x: input(f32, N, 4)\n{lines}\noutput(y)")
    assert raised.value.fix == fix


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "from os import path",
        "y = __import__('os').system('touch {trap}')",
        'exec(\'open("{trap}", "w")\')',
        "y = eval('1')",
        "y = open('{trap}', 'w')",
        "y = ().__class__.__bases__[0].__subclasses__()",
        "y = x.__class__",
        "y = exp.__globals__",
        "y = (lambda: x)()",
        "y = f'{{x}}'",
        "y = (z := x)",
        "y = [i for i in x]",
        "y = {{i for i in x}}",
        "y = sum(i for i in (x, x))",
        "y = exp(*x)",
        "y = exp(**x)",
        "*a, b = x",
        "x += 1",
        "for i in x:\n    y = i",
        "while True:\n    y = x",
        "if x:\n    y = x",
        "try:\n    y = x\nexcept Exception:\n    y = x",
        "def f(a):\n    return a",
        "async def f(a):\n    return a",
        "class A:\n    y = 1",
        "@property\ndef f(a): return a",
        "y = x if x else x",
        "y = x and x",
        "y = not x",
        "y = x is x",
        "y = x in x",
        "y = {{}}",
        "y = {{x}}",
        "y = b'x'",
        "y = 1j",
        "global x",
        "del x",
        "pass",
        "return x",
        "raise x",
        "assert x",
        "y = yield x",
        "y = await x",
        "type(x)",
        "y = exp(x)(x)",
        "y = (exp, log)[0](x)",
        "output(**{{1: x}})",
    ],
)
def test_code_is_refused_and_never_run(line: str, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    error = mistake(HEAD + line.format(trap=trap))
    assert str(error).startswith("m.graph:3:")
    assert not trap.exists()


# -- files that are no graph files -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("", "1:1", "empty text"),
        ("\n\n  \n# only this\n", "1:1", "empty text"),
        ("x: input(f32)\n\0\x01", "2:1", "it is not text"),
        ("\x89PNG\r\n\x1a\n", "2:1", "it is not text"),
        ("x: input(f32)\ny = '\ud800'", "2:6", "it is not text"),
        ("hello world", "1:7", "cannot read this"),
        ("{}", "1:1", "goes nowhere"),
    ],
)
def test_not_a_graph_file(text: str, place: str, what: str) -> None:
    error = mistake(text)
    assert what in error.what
    assert str(error).startswith(f"m.graph:{place}: ")


def test_every_truncation_of_a_file_is_one_clear_error() -> None:
    text = (
        '"""net: a truncated file"""\nx: input(f32, N, 4)\nW: param(f32, 4, 3)\n'
        'with scope("a"):\n    h: f32[N, 3] = tanh(x @ W)\ny = sum(h[:, 1:])\noutput(y, h)\n'
    )
    complete = read(text)
    for end in range(len(text)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", GraphWarning)
                graph = read(text[:end])
        except GraphError as error:
            assert str(error).startswith("m.graph:"), text[:end]
        else:
            assert end >= len(text) - 1 and graph == complete, text[:end]


@pytest.mark.parametrize(
    "expression",
    [
        "-" * 200 + "x",
        "~" * 100_000 + "x",
        "(" * 100_000 + "x",
        "exp(" * 150 + "x" + ")" * 150,
        "x" + " + x" * 100_000,
        "x" + "[0]" * 100_000,
        "x" + ".T" * 100_000,
        "[" * 150 + "]" * 150,
        "x" + "**x" * 100_000,
    ],
)
def test_deep_expressions_give_a_clear_error(expression: str) -> None:
    start = time.process_time()
    error = mistake(f"{HEAD}y = {expression}\noutput(y)")
    assert "nested too deeply" in error.what
    assert len(str(error)) < 1000
    assert time.process_time() - start < 5


def test_long_chains_of_operators_are_no_nesting() -> None:
    graph = read("x: input(f32)\ny = x" + " + x" * 900 + "\noutput(y)")
    assert len(graph.nodes) == 901


def test_a_large_text_takes_linear_time() -> None:
    seconds = []
    for lines in (1_000, 8_000):
        body = "".join(f"h{i + 1} = tanh(h{i}) + 1\n" for i in range(lines))
        text = f"x: input(f32, N, 128)\nh0 = x\n{body}output(h{lines})\n"
        start = time.process_time()
        read(text)
        seconds.append(time.process_time() - start)
    print(f"\n8k/1k lines: {seconds[1] / seconds[0]:.1f}x")
    assert seconds[1] / seconds[0] < 32  # a quadratic reader would take 64 times as long


def test_ten_megabytes_of_comment_and_of_one_constant() -> None:
    numbers = ", ".join(["1.5"] * 50_000)
    text = f"# {'x' * 9_000_000}\nx: input(f32)\nc = constant([{numbers}])\noutput(x, c)\n"
    assert read(text).outputs["c"].shape == (50_000,)
    with pytest.raises(GraphTextError, match=re.escape("no value is called 'qq'")) as caught:
        read(text.replace("constant([", "constant([qq, "))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("output('h')", "a name has no quotes here"),
        ("output(2h)", "a product is 2*x"),
        ("return h", "a graph ends in output(y)"),
        ("W: param(f32, 3, init=xavier())", "glorot_uniform()"),
    ],
)
def test_an_error_says_what_a_beginner_meant(line: str, fix: str) -> None:
    with pytest.raises(GraphError, match=f"fix +{re.escape(fix)}"):
        parse(f"h: input(f32, 3)\n{line}\n", FUNCTIONS, "m.graph")
