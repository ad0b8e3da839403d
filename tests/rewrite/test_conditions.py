"""A row for each condition of a rule: where it fails, the rule would give another value."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

from graphc.build.namespace import FUNCTIONS
from graphc.ir.graph import Graph
from graphc.ir.text.parser import parse
from graphc.rewrite.pipeline import optimize
from graphc.run.reference import interpret

#: What the rule would be applied to, and where that shows.
ROWS = {
    "square_of_sqrt": ("square(sqrt(x))", {"x": [-2.0, 2.0]}),
    "exp_of_log": ("exp(log(x))", {"x": [-2.0, 2.0]}),
    "log_one_plus_large": ("log(1 + exp(x)*z)", {"x": [0.0, 1.0], "z": [-0.5, -0.2]}),
    "log_plus, the first": ("log(exp(x)*z + exp(x*x))", {"x": [2.0, 3.0], "z": [-0.5, -0.2]}),
    "log_plus, the second": ("log(exp(x*x) + exp(x)*z)", {"x": [2.0, 3.0], "z": [-0.5, -0.2]}),
    "log_square": ("log(square(exp(x)*z))", {"x": [0.0, 1.0], "z": [-0.5, -0.2]}),
    "log_power": ("log((exp(x)*z)**2.0)", {"x": [0.0, 1.0], "z": [-0.5, -0.2]}),
    "log_of_prod": ("log(prod(x))", {"x": [-2.0, -3.0]}),
    "log_of_product": (
        "log(exp(x)*z*exp(y)*y)",
        {"x": [0.0, 1.0], "z": [-0.5, 2.0], "y": [-3.0, 1.0]},
    ),
    "log_of_sum_exp": ("log(sum(exp(x)*z))", {"x": [0.0, 1.0], "z": [-0.5, 2.0]}),
    "softmax_of_several": (
        "exp(x)/(exp(y) + exp(x)*z)",
        {"x": [0.0, 1.0], "y": [1.0, 0.0], "z": [-0.5, -2.0]},
    ),
    "times_reciprocal": ("x*(1/z)", {"x": [0.0, 1.0], "z": [0.0, np.inf]}),
    "sigmoid_of_logit": ("sigmoid(log(x/(1 - x)))", {"x": [2.0, -1.0]}),
    "sigmoid_of_log_odds": ("sigmoid(log(x) - log1p(-x))", {"x": [2.0, -1.0]}),
    "sinh_of_exps": ("(exp(x) - exp(y))/2", {"x": [1.0, 2.0], "y": [1.0, -1.0]}),
    "cosh_of_exps": ("(exp(x) + exp(y))/2", {"x": [1.0, 2.0], "y": [1.0, -1.0]}),
    "tanh_of_expm1_times_sigmoid": ("expm1(x)*sigmoid(y)", {"x": [1.0, 2.0], "y": [1.0, -1.0]}),
    "exp_times_sigmoid": ("exp(x)*sigmoid(y)", {"x": [1.0, 2.0], "y": [1.0, -1.0]}),
    "scaled_exp_times_sigmoid": (
        "z*exp(x)*sigmoid(y)",
        {"x": [1.0, 2.0], "y": [1.0, -1.0], "z": [3.0, 2.0]},
    ),
    "odds_of_sigmoid": ("sigmoid(x)/sigmoid(y)", {"x": [1.0, 2.0], "y": [1.0, -1.0]}),
    "softplus_difference": ("softplus(x) - softplus(y)", {"x": [1.5, 2.0], "y": [1.0, -1.0]}),
    "cross_entropy_of_logits": (
        "y*softplus(x) + (1 - y)*softplus(z)",
        {"x": [1.0, 2.0], "y": [0.5, 0.25], "z": [3.0, 2.0]},
    ),
    "power_of_exp": (
        "exp(where(x > 0, x, -inf))**y",
        {"x": [1.0, -1.0], "y": [0.0, 0.0]},
    ),
    "leaky_by_maximum, more than 1": ("where(x > 0, x, 2.0*x)", {"x": [-1.0, 2.0]}),
    "leaky_by_maximum, 0": ("where(x > 0, x, 0.0*x)", {"x": [-1.0, np.inf]}),
    "multiply_numbers": ("x*1e200*1e200", {"x": [1e-300, -1e-200]}),
    "divide_numbers": ("x/1e200/1e200", {"x": [1e300, -1e300]}),
    "multiply_divide_numbers": ("x*1e30/0.0", {"x": [1e20, -1e30]}),
    "divide_multiply_numbers": ("x/0.0*1e30", {"x": [1e20, -1e30]}),
    "multiply_numbers of integers": (f"k*{2**31}*{2**33}", {"k": [1, -3]}),
    "divide_by_power_of_two": (f"h/{2.0**-130}", {"h": [2.0**-130, 2.0**-126]}),
    "number_over_scaled": ("1e30/(x*0.0)", {"x": [1e20, -1e30]}),
    "number_over_quotient": ("1e30/(0.0/x)", {"x": [1e20, -1e30]}),
    "number_over_divided": ("1e200/(x/1e200)", {"x": [1e300, -1e250]}),
    "scaled_quotient": ("1e-200/x*1e-200", {"x": [1e-200, -1e-30]}),
    "add_numbers": ("x + 1.0 + 1e-30", {"x": [-1.0, 2.0]}),
    "add_subtract_numbers": ("x + 1.0 - 1e-30", {"x": [-1.0, 2.0]}),
    "subtract_add_numbers": ("x - 1.0 + 1e-30", {"x": [1.0, 2.0]}),
    "subtract_numbers": ("x - 1.0 - 1e-30", {"x": [1.0, 2.0]}),
    "number_minus_plus": ("1.0 - x + 1e-30", {"x": [1.0, 2.0]}),
    "number_minus_minus": ("1.0 - x - 1e-30", {"x": [1.0, 2.0]}),
    "number_minus_sum": ("1e-30 - (x + 1.0)", {"x": [-1.0, 2.0]}),
    "number_minus_shifted": ("1e-30 - (x - 1.0)", {"x": [1.0, 2.0]}),
    "number_minus_number_minus": ("1e-30 - (1.0 - x)", {"x": [1.0, 2.0]}),
    "multiply_zero": ("x*0", {"x": [np.inf, 2.0]}),
    "subtract_itself": ("x - x", {"x": [np.inf, 2.0]}),
    "abs_of_nonnegative": ("abs(x)", {"x": [-1.0, 2.0]}),
    "relu_of_nonnegative": ("relu(x)", {"x": [-1.0, 2.0]}),
    "sinh_of_half_exps": ("(exp(x) - exp(y))*0.5", {"x": [1.0, 2.0], "y": [1.0, -1.0]}),
    "cosh_of_half_exps": ("(exp(x) + exp(y))*0.5", {"x": [1.0, 2.0], "y": [1.0, -1.0]}),
    "scale_within_guard": (
        "(x*0.1)*where(x*0.1 == 0, 0.0, 2.0 + 3.0*y)",
        {"x": [5e-324, 1.0], "y": [1e300, 1.0]},
    ),
    "sinh_of_exps, other numbers": ("(exp(2*x) - exp(-3*x))/2", {"x": [1.0, -2.0]}),
    "cosh_of_exps, other numbers": ("(exp(x/2) + exp(x/(-3)))/2", {"x": [1.0, -2.0]}),
    "odds_of_sigmoid, other numbers": ("sigmoid(2*x)/sigmoid(-3*x)", {"x": [1.0, -2.0]}),
    "add_itself": ("m + m", {"m": [True, False]}),
    "power_of_two": ("2**k", {"k": [2, 4]}),
    "product_of_abs": ("abs(k)*abs(i)", {"k": [2**40, 3], "i": [3 * 2**22, -2]}),
    "numbers that leave their dtype": (f"k + {2**62} + {2**62}", {"k": [-(2**62), 3]}),
    "a number whose opposite leaves its dtype": (f"k + ({-(2**63)})", {"k": [2**62, 3]}),
}
KINDS = {"m": "bool", "k": "i64", "i": "i64", "h": "f32"}


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize(("level", "style"), [(1, "readable"), (2, "readable"), (2, "fast")])
def test_the_value_stays_where_a_condition_fails(row: str, level: int, style: str) -> None:
    formula, arguments = ROWS[row]
    declared = [f"{name}: input({KINDS.get(name, 'f64')}, 2)\n" for name in arguments]
    graph = parse("".join(declared) + f"result = {formula}\noutput(result)", FUNCTIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        better = optimize(graph, level, style)
    expected, got = (value_of(g, arguments) for g in (graph, better))
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=0)


def test_products_are_gathered_only_where_they_run_alike() -> None:
    text = "".join(f"{name}: input(f64, 3, 3)\n" for name in "xwv")
    graph = parse(f"{text}result = x @ w + x @ v.T\noutput(result)", FUNCTIONS)
    given = {name: np.random.default_rng(i).normal(size=(3, 3)) for i, name in enumerate("xwv")}
    got = interpret(optimize(graph), **given)["result"]
    np.testing.assert_allclose(got, given["x"] @ (given["w"] + given["v"].T), rtol=1e-12)


def test_no_variance_is_made_of_no_elements() -> None:
    text = "x: input(f64, 0, 3)\ny = mean(square(x), axis=0) - square(mean(x, axis=0))\noutput(y)"
    assert optimize(parse(text, FUNCTIONS)).outputs["y"].op.name == "subtract"


@pytest.mark.parametrize("style", ["readable", "fast"])
def test_shares_of_no_elements_are_none(style: str) -> None:
    text = "x: input(f64, 3, 0)\ny = exp(x)/sum(exp(x), axis=1, keepdims=True)\noutput(y)"
    better = optimize(parse(text, FUNCTIONS), 2, style)
    assert interpret(better, x=np.zeros((3, 0)))["y"].shape == (3, 0)


#: Formulas that a rule would only make longer, or could not write, and the op that they end with.
STAYS = {
    "log_one_plus_large, no exponential": ("log(1 + x*x)", "log1p"),
    "log_one_plus_large, at most 1": ("log(1 + sigmoid(x))", "log1p"),
    "log_plus, no exponential first": ("log(x*x + exp(z))", "log"),
    "log_plus, no exponential": ("log(sigmoid(x) + z*z)", "log"),
    "softmax_of_several": ("exp(x)/(z*z + exp(x))", "divide"),
    "log_where": ("log(where(x > 0, x, z))", "log"),
    "log_beside_exponentials, nothing overflows": ("log(1.0 + sigmoid(x) + z*z)", "log"),
    "log_beside_exponentials, a sign is unknown": ("log(2.0 + exp(x) + z)", "log"),
    "power_minus_one": ("k**(-1)", "power"),
    "power_minus_two": ("k**(-2)", "power"),
    "power_minus_three": ("k**(-3)", "power"),
    "log2": ("log2(x)", "log2"),
    "log10": ("log10(x)", "log10"),
    "product_with_itself": ("(x > 0)*(x > 0)", "multiply"),
    "one_minus_square": ("1 - square(x*z)", "subtract"),
    "one_minus_square of integers": ("1 - square(k)", "subtract"),
}


@pytest.mark.parametrize("row", STAYS)
def test_a_formula_stays_that_would_only_become_longer(row: str) -> None:
    formula, op = STAYS[row]
    names = sorted(set(re.findall(r"\b[xzk]\b", formula)))
    declared = [f"{name}: input({KINDS.get(name, 'f64')}, 2)\n" for name in names]
    graph = parse("".join(declared) + f"result = {formula}\noutput(result)", FUNCTIONS)
    assert optimize(graph).outputs["result"].op.name == op


def value_of(graph: Graph, arguments: dict[str, list[float]]) -> np.ndarray:
    given = {
        name: np.array(values).astype(graph.inputs[name].dtype)
        for name, values in arguments.items()
    }
    return np.asarray(interpret(graph, **given)["result"])


#: Graphs that a rule must leave, since what it reads is not what it knows.
OTHERS = {
    "one_hot_operand, counted from 1": "i: input(i64, 5)\nw: input(f64, 1000, 4)\n"
    "y = cast(i[:, None] == arange(1, 1001)[None, :], f64) @ w",
    "one_hot_operand, counted in twos": "i: input(i64, 5)\nw: input(f64, 1000, 4)\n"
    "y = cast(i[:, None] == arange(0, 2000, 2)[None, :], f64) @ w",
    "unit_vector, of no squares": "x: input(f64, 3, 4)\n"
    "y = x/sqrt(sum(exp(x), axis=1, keepdims=True))",
    "unit_vector, of another's squares": "x: input(f64, 3, 4)\nz: input(f64, 3, 4)\n"
    "y = x/sqrt(sum(square(z), axis=1, keepdims=True))",
    "written_plus_copies, no copies along the axis": "x: input(f64, 3, 4)\nv: input(f64, 3, 1)\n"
    "i: input(i64, 3, 1)\na = broadcast_to(sum(x, axis=0, keepdims=True), (3, 4))\n"
    "y = add_along_axis(broadcast_to(v**2, (3, 4)), v, i, axis=1) + a",
    "written_plus_copies, onto no copies": "x: input(f64, 3, 4)\nv: input(f64, 3, 1)\n"
    "i: input(i64, 3, 1)\na = broadcast_to(sum(x, axis=1, keepdims=True), (3, 4))\n"
    "y = add_along_axis(broadcast_to(x[:1]**2, (3, 4)), v, i, axis=1) + a",
    "written_times_array, onto no copies": "x: input(f64, 3, 4)\nv: input(f64, 3, 1)\n"
    "i: input(i64, 3, 1)\ny = add_along_axis(broadcast_to(x[:1]**2, (3, 4)), v, i, axis=1)*x",
    "slice_of_scatter, onto ones": "v: input(f64, 3)\n"
    "y = scatter_add(full((5,), 1.0, dtype=f64), v, constant([4, 0, 2]))[2:5:2]",
    "slice_of_scatter, into places of an input": "v: input(f64, 3)\ni: input(i64, 3)\n"
    "y = scatter_add(zeros((5,), dtype=f64), v, i)[0:3:2]",
    "slice_of_scatter, of a named length": "v: input(f64, 3)\nx: input(f64, N)\n"
    "y = scatter_add(zeros((N + 3,), dtype=f64), v, constant([2, 0, 1]))[0:3:2] + sum(x)",
    "slice_of_scatter, two into one place": "v: input(f64, 3)\n"
    "y = scatter_add(zeros((5,), dtype=f64), v, constant([2, 0, 2]))[0:3:2]",
    "softmax_product, divided by other rows' sums": "z: input(f64, 4, 4)\nw: input(f64, 4, 4)\n"
    "y = (exp(z) @ w)/sum(exp(z), axis=1)",
    "softmax_product, divided by columns' sums": "z: input(f64, 4, 4)\nw: input(f64, 4, 4)\n"
    "y = (exp(z) @ w)/sum(exp(z), axis=0, keepdims=True)",
    "weighted_mean_of_exponentials, of a turned sum": "z: input(f64, 3, 3)\n"
    "y = sum(z*exp(z), axis=1)/sum(exp(z), axis=0)",
    "softmax_product, divided by sums in a row": "z: input(f64, 2, 2, 4)\nw: input(f64, 4, 4)\n"
    "y = (exp(z) @ w)/reshape(sum(exp(z), axis=2), (4,))",
    "shift_returned, along another axis": "z: input(f64, 3, 3, 4)\nm = max(z, axis=(1, 2))\n"
    "y = (logsumexp(z, axis=2) - m[:, None]) + m[None, :]",
    "gather_everything, from the last one": "x: input(f64, 4)\ny = take(x, arange(-1, 3))",
    "slice_of_pad, with an edge behind": "x: input(f64, 4)\ny = pad(x, 2)[2:7]",
    "slice_of_pad, with an edge before": "x: input(f64, 4)\ny = pad(x, 2)[1:6]",
    "slice_of_slice_add, written backwards": "x: input(f64, 5)\nv: input(f64, 3)\n"
    "y = slice_add(x, v, ((3, 0, -1),))[1:4]",
    "slice_of_slice_add, read backwards": "x: input(f64, 5)\nv: input(f64, 3)\n"
    "y = slice_add(x, v, ((1, 4, 1),))[3:0:-1]",
    "slice_of_moved, every second one": "x: input(f64, 2, 5)\ny = concat(x, x**2)[:2, ::2]",
    "constant_sums, of a named number": "x: input(f64, N)\n"
    "y = sum(full((N, 3), 2.0, dtype=f64)) + sum(x)",
    "put_at_extreme, into an image of another size": "x: input(f64, 2, 4, 4)\n"
    "v: input(f64, 2, 2, 2)\n"
    "y = add_at_window_max(zeros((2, 5, 4), dtype=f64), v, x, size=(2, 2), stride=(2, 2))",
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("row", OTHERS)
def test_the_value_stays_where_something_else_is_read(row: str, style: str) -> None:
    graph = parse(f"{OTHERS[row]}\noutput(y)", FUNCTIONS)
    rng = np.random.default_rng(5)
    arguments = {}
    for name, node in graph.inputs.items():
        shape = tuple([5 if not isinstance(dim, int) else dim for dim in node.shape])
        real = rng.uniform(0.1, 2.0, shape)
        arguments[name] = rng.integers(0, 3, shape) if node.dtype.kind == "i" else real
    better = optimize(graph, 2, style)
    expected = interpret(graph, **arguments)["y"]
    np.testing.assert_allclose(interpret(better, **arguments)["y"], expected, rtol=1e-12)
