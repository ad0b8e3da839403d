"""Where an op keeps fewer digits than it could, and why: each with a bound that is tested."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """Why a relative error may be large, and the most that the error is in ulps of 1."""

    text: str
    absolute: float


_SATURATED = Reason(
    "through the output y, as by hand, for the price of one product: where y saturates, the "
    "derivative is off by an ulp of 1",
    1.5,
)
_UNDERFLOW = Reason(
    "exp(-x) overflows first: what is below 100 times the smallest normal number may become 0", 4.0
)
_NEARLY_MINUS_X = Reason(
    "-h*(x + h) of the ratio h, which is nearly -x in the tail: off by x**2 ulp, up to where its "
    "series takes over",
    float("inf"),
)

REASONS = {
    ("sigmoid", "d/dx"): _SATURATED,
    ("tanh", "d/dx"): _SATURATED,
    ("expm1", "d/dx"): _SATURATED,
    ("selu", "d/dx"): _SATURATED,
    ("elu", "d/dx"): Reason("as selu: off by an ulp of alpha", float("inf")),
    ("sigmoid", "d²/dx²"): Reason(
        "derived from y*(1 - y): 1 - 2*y is off by an ulp of 1 near 0, where it vanishes", 1.0
    ),
    ("silu", "value"): _UNDERFLOW,
    ("silu", "d/dx"): _UNDERFLOW,
    ("silu", "d²/dx²"): Reason("1 - sigmoid(x) is off by an ulp of 1 where it is tiny", 4.0),
    ("gelu_tanh", "d²/dx²"): Reason(
        "nan where x**4 overflows; the value and the first derivative are right there",
        float("inf"),
    ),
    ("atan", "d²/dx²"): Reason(
        "(1 + x**2)**2 overflows before the quotient underflows: 0 for huge x", 2.0
    ),
    ("power", "d/da"): Reason(
        "b*a**(b - 1), the form that is right at a = 0: b - 1 has rounded where b is small",
        float("inf"),
    ),
    ("log_ndtr", "d²/dx²"): _NEARLY_MINUS_X,
    ("inverse_mills_ratio", "d/dx"): _NEARLY_MINUS_X,
    ("inverse_mills_ratio", "d²/dx²"): _NEARLY_MINUS_X,
    ("polygamma", "value"): Reason(
        "not measured here, where orders are no whole numbers, but in tests/ops/test_gamma.py", 0.0
    ),
}
