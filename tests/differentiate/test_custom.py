"""Ops that a user defines from a function of SymPy symbols."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import sympy
from evaluation import central_difference, evaluate, total, variable

import graphc as gc
from graphc.differentiate.formulas.derive import derive
from graphc.differentiate.formulas.local import partial
from graphc.differentiate.gradient import grad
from graphc.errors import GraphError
from graphc.ops import OPS
from graphc.ops.elementwise.pointwise import Pointwise
from graphc.stable_ops import define_pointwise


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """Take the test's ops out of the registry again."""
    before = list(OPS)
    yield
    for name in [n for n in OPS if n not in before]:
        del OPS[name]


def huber(x: sympy.Expr, d: sympy.Expr) -> sympy.Expr:
    return sympy.Piecewise((x**2 / 2, sympy.Abs(x) <= d), (d * (sympy.Abs(x) - d / 2), True))


FUNCTIONS = {
    "swish2": lambda x: x / (1 + sympy.exp(-2 * x)),
    "mish": lambda x: x * sympy.tanh(sympy.log(1 + sympy.exp(x))),
    "squared_hinge": lambda y: sympy.Max(0, 1 - y) ** 2,
    "huber": huber,
    "logit": lambda p: sympy.log(p / (1 - p)),
    "three": lambda x, a, b: sympy.Max(x, a * x, b),
    "bump": lambda x: 0.1 * sympy.exp(-(x**2)) * sympy.sqrt(2) + sympy.pi,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_and_derivatives(name: str) -> None:
    op = define_pointwise(name, FUNCTIONS[name])
    rng = np.random.default_rng(3)
    intervals = zip(op.args, op.domain, strict=True)
    values = {arg: rng.uniform(low, high, 7) for arg, (low, high) in intervals}
    inputs = [variable(arg, value) for arg, value in values.items()]
    node = op(*inputs)
    expected = [
        float(FUNCTIONS[name](*[sympy.Float(v[i]) for v in values.values()])) for i in range(7)
    ]
    np.testing.assert_allclose(evaluate([node], values)[0], expected, rtol=1e-12)
    loss = total(node)
    for arg, derivative in zip(op.args, grad(loss, inputs), strict=True):
        slope = central_difference(
            lambda v, arg=arg: float(evaluate([loss], {**values, arg: v})[0]), values[arg]
        )
        (actual,) = evaluate([derivative], values)
        np.testing.assert_allclose(actual, slope, rtol=1e-6, atol=1e-7)


def test_far_out_values_stay_finite() -> None:
    far = np.array([-1e4, 1e4])
    for name in ("swish2", "mish"):
        x = variable("x", far)
        (gradient,) = grad(total(define_pointwise(name, FUNCTIONS[name])(x)), [x])
        np.testing.assert_allclose(evaluate([gradient], {"x": far})[0], [0.0, 1.5], atol=1e-12)


TEXTBOOK = {
    "log(1 + exp(x))": (lambda x: sympy.log(1 + sympy.exp(x)), OPS["softplus"]),
    "log(cosh(x))": (lambda x: sympy.log(sympy.cosh(x)), OPS["log_cosh"]),
    "exp(x) - 1": (lambda x: sympy.exp(x) - 1, OPS["expm1"]),
    "(exp(x) - exp(-x))/(exp(x) + exp(-x))": (
        lambda x: (sympy.exp(x) - sympy.exp(-x)) / (sympy.exp(x) + sympy.exp(-x)),
        OPS["tanh"],
    ),
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("formula", TEXTBOOK)
def test_a_textbook_formula_is_computed_in_its_stable_form(formula: str, style: str) -> None:
    function, stable = TEXTBOOK[formula]
    op = define_pointwise("textbook", function)
    assert op.lowering == f"{stable.name}(x)" != op.formula
    x = gc.input("x", ("N",), dtype="float64")
    far = np.array([-700.0, -40.0, -1e-9, 0.0, 1e-9, 40.0, 700.0])
    for level in (0, 2):
        f = gc.compile(gc.graph({"y": op(x)}), style=style, optimize=level)
        with np.errstate(over="raise", invalid="raise"):
            found = f(x=far)["y"]
        np.testing.assert_allclose(found, stable.reference([far], {}, x.type), rtol=1e-15)


FAR = {
    "tanh": (lambda x: (sympy.exp(x) - sympy.exp(-x)) / (sympy.exp(x) + sympy.exp(-x)), [0, 0]),
    "log of two": (lambda x: sympy.log(sympy.exp(x) + sympy.exp(2 * x)), [1, 2]),
    "sech": (lambda x: 1 / sympy.cosh(x), [0, 0]),
    "elish": (
        lambda x: sympy.Piecewise(
            (x / (1 + sympy.exp(-x)), x >= 0), ((sympy.exp(x) - 1) / (1 + sympy.exp(-x)), True)
        ),
        [0, 1],
    ),
    "log of cosh": (lambda x: sympy.log((sympy.exp(x) + sympy.exp(-x)) / 2), [-1, 1]),
    "power": (lambda x: sympy.log(1 + 2**x) / sympy.log(2), [0, 1]),
}


@pytest.mark.parametrize("name", FAR)
def test_the_derivative_of_a_textbook_formula_is_finite_far_out(name: str) -> None:
    function, slopes = FAR[name]
    op, x = define_pointwise("far", function), gc.input("x", ("N",), dtype="float64")
    graph = gc.graph({"y": op(x).sum(), "near": op(x)})
    assert gc.check_gradient(graph, of="y", at={"x": [-1.3, -0.4, 0.7, 2.1]}).passed
    far = {"x": np.array([-2000.0, 2000.0])}
    reverse = gc.compile(graph, gradient_of="y", wrt=["x"])(**far)["d_y_d_x"]
    forward = gc.compile(graph.tangent(["x"]))(**far, x_dot=np.ones(2))["near_dot"]
    for found in (reverse, forward):
        np.testing.assert_allclose(found, slopes, atol=1e-300)


def test_a_derivative_does_not_cancel_where_its_parts_do_not() -> None:
    op = define_pointwise("tanhexp", lambda x: x * sympy.tanh(sympy.exp(x)))
    x = gc.input("x", dtype="float64")
    f = gc.compile(gc.graph({"y": op(x)}), gradient_of="y", wrt=["x"])
    assert f(x=100.0)["d_y_d_x"] == 1
    root = define_pointwise("root", lambda x: x / sympy.sqrt(1 + x**2))
    f = gc.compile(gc.graph({"y": root(x)}), gradient_of="y", wrt=["x"])
    assert f(x=1e4)["d_y_d_x"] == pytest.approx((1 + 1e8) ** -1.5, rel=1e-14)


def test_a_stable_form_may_share_and_keep_other_operands() -> None:
    two = define_pointwise("two", lambda x, k: sympy.log(sympy.exp(x) + sympy.exp(k)) / k)
    assert two.lowering == "logaddexp(k, x) / k"
    repeated = define_pointwise(
        "repeated", lambda x: sympy.log(1 + sympy.exp(x)) * sympy.tanh(sympy.log(1 + sympy.exp(x)))
    )
    assert repeated.lowering == "softplus(x) * tanh(softplus(x))"
    plain = define_pointwise("plain", lambda x: x / (1 + x**2))
    assert plain.lowering == plain.formula


def test_cases_keep_their_boundaries() -> None:
    op = define_pointwise("ramp", lambda x: sympy.Piecewise((0, x < 0), (x, x <= 1), (1, True)))
    x = variable("x", np.array([-1.0, 0.0, 0.5, 1.0, 2.0]))
    (gradient,) = grad(OPS["sum"](op(x)), [x])
    values = {"x": np.array([-1.0, 0.0, 0.5, 1.0, 2.0])}
    np.testing.assert_array_equal(evaluate([gradient], values)[0], [0, 1, 1, 1, 0])


def test_a_rational_derivative_is_one_fraction() -> None:
    assert partial(define_pointwise("logit", FUNCTIONS["logit"]), 0).text == "1/(p*(1 - p))"


STEPS = {
    "threshold": (lambda x: sympy.Piecewise((1, x > 0), (0, True)), [0.0, 0.0, 1.0]),
    "condition": (lambda x: x > 0, [0.0, 0.0, 1.0]),
    "half_way": (lambda x: sympy.Heaviside(x), [0.0, 0.5, 1.0]),
    "three_levels": (lambda x: sympy.Piecewise((-2, x < 0), (3, x <= 0), (7, True)), [-2, 3, 7]),
}


@pytest.mark.parametrize("style", ["readable", "fast"])
@pytest.mark.parametrize("name", STEPS)
def test_a_function_whose_cases_are_numbers_keeps_the_dtype_and_has_no_slope(
    name: str, style: str
) -> None:
    function, expected = STEPS[name]
    x = gc.input("x", ("N",))
    g = gc.graph({"y": define_pointwise(name, function)(x), "z": gc.sum(x * OPS[name](x))})
    found = gc.compile(g, gradient_of="z", wrt=["x"], style=style)(x=[-1.0, 0.0, 2.0])
    reference = gc.interpret(g, x=[-1.0, 0.0, 2.0])["y"]
    for y in (found["y"], found["d_z_d_x"], reference):
        np.testing.assert_array_equal(y, expected)
        assert y.dtype == np.float32


def test_the_same_definition_gives_the_same_op() -> None:
    first = define_pointwise("swish2", FUNCTIONS["swish2"])
    assert define_pointwise("swish2", FUNCTIONS["swish2"]) is first
    with pytest.raises(GraphError, match="exists already"):
        define_pointwise("swish2", lambda x: x)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (sympy.gamma, "one symbol for each argument|no op for gamma"),
        (lambda x: sympy.gamma(x), "no op for gamma"),
        (lambda x: sympy.I * x, "not a real number"),
        (lambda x: x * sympy.Symbol("q"), "symbols that are not arguments"),
        (lambda x: sympy.Piecewise((x, x > 0)), "leave a gap"),
        (lambda: 1, "one symbol for each argument"),
        (lambda x: sympy.Integral(x, x), "left to be evaluated"),
        (lambda x: gc.exp(x), "no expression of SymPy.*\n.*Node\n.*sympy.exp"),
        (lambda x: None, "no expression of SymPy"),
        (lambda x: [x, x], "no expression of SymPy"),
        (lambda x: np.exp(x), "does not take SymPy's symbols\n.*\n.*np.exp"),
        (lambda x: math.exp(x), "does not take SymPy's symbols"),
        (lambda x: x if x > 0 else 0, "does not take SymPy's symbols\n.*\n.*Piecewise for .* if"),
        (lambda x: x.tanh(), "does not take SymPy's symbols"),
        ("x*tanh(x)", "made of a function\n.*'x.tanh\\(x\\)' of type str"),
        (lambda x: 1.0, "depends on none of its arguments\n.*1.0\n.*a function of x"),
    ],
)
def test_errors(function: object, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        define_pointwise("bad", function)  # some are no functions


@pytest.mark.parametrize("name", ["", "two words", "1st", "exp"])
def test_bad_names(name: str) -> None:
    with pytest.raises(GraphError):
        define_pointwise(name, lambda x: x)


def test_a_derivative_that_does_not_read_the_output_is_one_fraction_simplified() -> None:
    define_pointwise("bent", lambda x: sympy.Piecewise((x, x > 0), (x / (1 - x), True)))
    last = derive("bent").steps[-1]
    assert (last.rule, last.formula) == ("simplify", "where(x > 0, 1, 1/(x - 1)**2)")


def test_a_function_of_ones_own_is_not_taken_for_commutative() -> None:
    """Where its two orders differ, no sample need show."""
    lopsided = gc.define_pointwise(
        "lopsided", lambda a, b: a * b + sympy.Piecewise((1, (a > 5) & (a < 6)), (0, True))
    )
    x, y = gc.input("x", (), dtype="float64"), gc.input("y", (), dtype="float64")
    graph = gc.graph({"d": lopsided(x, y) - lopsided(y, x)})
    for level in range(4):
        assert float(gc.compile(graph, optimize=level)(x=5.5, y=2.0)["d"]) == 1.0


@pytest.mark.parametrize("args", ["x y", "g"])
def test_no_argument_is_called_as_derivatives_call_the_value_and_its_cotangent(args: str) -> None:
    with pytest.raises(GraphError, match="an argument may not be called y or g"):
        Pointwise("of_taken_names", "A test.", args.replace(" ", "*"), args=args)
