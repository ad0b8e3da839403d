"""Rules for first values, as NumPy expressions over one generator `rng`.

**Fans.** A matrix is [in, out]: fan_in = in, fan_out = out. A filter is [out, in/groups, k, …]:
fan_in = in/groups * k…, fan_out = out * k…  A vector's fans are both its size.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from graphc.build.settings import NotNegative, Settings
from graphc.errors import GraphError
from graphc.ir.attributes import ArrayLiteral
from graphc.ir.code import Notation
from graphc.ir.dims import shape_text
from graphc.ir.provenance import user_error
from graphc.ir.types import SHORT, is_float

#: How `init` writes shapes, which are numbers there, and dtypes.
_NUMPY = Notation()


@dataclass(frozen=True, repr=False)
class Initializer(metaclass=Settings):
    """A rule for a parameter's first value; its `repr` is its text form.

    `source` is the NumPy expression that the emitted `init` prints, `sample` its value.
    """

    name: ClassVar[str]

    @abstractmethod
    def source(self, shape: Sequence[int], dtype: np.dtype) -> str:
        """Return a NumPy expression over `rng` (and `np`) with the concrete shape."""

    @abstractmethod
    def sample(self, rng: np.random.Generator, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
        """Return the value of `source`, taking the same numbers from the generator."""

    def check(self, dtype: np.dtype) -> None:
        """Raise where the rule cannot give values of this dtype: `source` and `sample` ask."""

    def __repr__(self) -> str:
        given = [(f.name, getattr(self, f.name), f.default) for f in fields(self)]
        words = [f"{name}={value!r}" for name, value, default in given if value != default]
        return f"{self.name}({', '.join(words)})"


@dataclass(frozen=True, repr=False)
class Zeros(Initializer):
    """Zeros everywhere."""

    name = "zeros"

    def source(self, shape: Sequence[int], dtype: np.dtype) -> str:
        return f"np.zeros({_NUMPY.size(tuple(shape))}, {_NUMPY.dtype(dtype)})"

    def sample(self, rng: np.random.Generator, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
        return np.zeros(tuple(shape), dtype)


@dataclass(frozen=True, repr=False)
class Ones(Initializer):
    """Ones everywhere."""

    name = "ones"

    def source(self, shape: Sequence[int], dtype: np.dtype) -> str:
        return f"np.ones({_NUMPY.size(tuple(shape))}, {_NUMPY.dtype(dtype)})"

    def sample(self, rng: np.random.Generator, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
        return np.ones(tuple(shape), dtype)


@dataclass(frozen=True, repr=False)
class Constant(Initializer):
    """One number everywhere, or an array of the parameter's shape."""

    name = "constant"
    value: float | ArrayLiteral

    def __repr__(self) -> str:
        if isinstance(self.value, ArrayLiteral):
            array = self.value.array
            return f"constant({array.tolist()!r}, dtype={SHORT[array.dtype]})"
        return f"constant({self.value!r})"

    def check(self, dtype: np.dtype) -> None:
        value = self.value
        held(value.array if isinstance(value, ArrayLiteral) else np.asarray(value), dtype)

    def source(self, shape: Sequence[int], dtype: np.dtype) -> str:
        self.check(dtype)
        if isinstance(self.value, ArrayLiteral):
            self._check(shape)
            numbers = repr(self.value.array.astype(dtype).tolist())
            numbers = numbers.replace("nan", "np.nan").replace("inf", "np.inf")
            text = f"np.array({numbers}, {_NUMPY.dtype(dtype)})"
            if self.value.array.size:
                return text
            return f"{text}.reshape({_NUMPY.size(tuple(shape))})"
        number = repr(self.value).replace("nan", "np.nan").replace("inf", "np.inf")
        return f"np.full({_NUMPY.size(tuple(shape))}, {number}, {_NUMPY.dtype(dtype)})"

    def sample(self, rng: np.random.Generator, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
        self.check(dtype)
        if isinstance(self.value, ArrayLiteral):
            self._check(shape)
            return np.array(self.value.array, dtype)
        return np.full(tuple(shape), self.value, dtype)

    def _check(self, shape: Sequence[int]) -> None:
        assert isinstance(self.value, ArrayLiteral)
        if self.value.array.shape != tuple(shape):
            raise GraphError(
                "the initial values have another shape than the parameter",
                got=shape_text(self.value.array.shape),
                expected=shape_text(tuple(shape)),
            )


class _Drawn(Initializer):
    """Random numbers: a float64 expression over `rng`, rounded to the dtype."""

    @abstractmethod
    def expression(self, shape: tuple[int, ...]) -> str:
        """Return the NumPy expression of the numbers."""

    @abstractmethod
    def numbers(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return the value of `expression`, taking the same numbers from the generator."""

    def check(self, dtype: np.dtype) -> None:
        if not is_float(dtype):
            raise user_error(f"{self!r} draws floats", got=dtype.name)

    def source(self, shape: Sequence[int], dtype: np.dtype) -> str:
        self.check(dtype)
        # np.asarray: NumPy gives a bare number, not an array, for the shape ().
        return f"np.asarray({self.expression(tuple(shape))}, {_NUMPY.dtype(dtype)})"

    def sample(self, rng: np.random.Generator, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
        self.check(dtype)
        return np.asarray(self.numbers(rng, tuple(shape)), dtype)


@dataclass(frozen=True, repr=False)
class Normal(_Drawn):
    """Normal numbers of standard deviation `scale`."""

    name = "normal"
    scale: NotNegative = 0.01
    mean: float = 0.0

    def expression(self, shape: tuple[int, ...]) -> str:
        return f"rng.normal({self.mean!r}, {self.scale!r}, {_NUMPY.size(shape)})"

    def numbers(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return np.asarray(rng.normal(self.mean, self.scale, shape))


@dataclass(frozen=True, repr=False)
class Uniform(_Drawn):
    """Uniform numbers in [low, high)."""

    name = "uniform"
    low: float = -0.05
    high: float = 0.05

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise GraphError("uniform: low lies above high", got=f"{self.low}, {self.high}")

    def expression(self, shape: tuple[int, ...]) -> str:
        return f"rng.uniform({self.low!r}, {self.high!r}, {_NUMPY.size(shape)})"

    def numbers(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return np.asarray(rng.uniform(self.low, self.high, shape))


@dataclass(frozen=True, repr=False)
class Scaled(_Drawn):
    """Numbers whose spread follows from the fans, so that signals keep their size over layers.

    `variance` is what the drawn numbers have for fan 1; `fan` names the fans that divide it.
    """

    gain: float = 1.0

    variance: ClassVar[int] = 1
    fan: ClassVar[str] = "in"
    is_uniform: ClassVar[bool] = False

    def _spread(self, shape: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
        """Return numerator and the fans whose sum is the denominator of the spread's square."""
        fan_in, fan_out = fans(shape)
        # Uniform on ±a has variance a²/3; the sum of two fans stands for twice their mean.
        numerator = self.variance * (3 if self.is_uniform else 1)
        if self.fan == "mean":
            return 2 * numerator, (fan_in, fan_out)
        return numerator, (fan_in,)

    def expression(self, shape: tuple[int, ...]) -> str:
        numerator, parts = self._spread(shape)
        divisor = f"({parts[0]} + {parts[1]})" if len(parts) == 2 else str(parts[0])
        scale = f"({numerator} / {divisor}) ** 0.5"
        if self.gain != 1:
            scale = f"{self.gain!r} * {scale}"
        drawn = "rng.uniform(-1, 1, {})" if self.is_uniform else "rng.standard_normal({})"
        return f"{scale} * {drawn.format(_NUMPY.size(shape))}"

    def numbers(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        numerator, parts = self._spread(shape)
        scale = (numerator / sum(parts)) ** 0.5
        if self.gain != 1:
            scale = self.gain * scale
        drawn = rng.uniform(-1, 1, shape) if self.is_uniform else rng.standard_normal(shape)
        return np.asarray(scale * drawn)


class GlorotUniform(Scaled):
    """Uniform of variance 2/(fan_in + fan_out).

    **Source.** Glorot & Bengio 2010, PMLR 9:249, equation 16.
    """

    name, fan, is_uniform = "glorot_uniform", "mean", True


class GlorotNormal(Scaled):
    """Normal of variance 2/(fan_in + fan_out).

    **Source.** Glorot & Bengio 2010, PMLR 9:249, equation 12.
    """

    name, fan = "glorot_normal", "mean"


class HeUniform(Scaled):
    """Uniform of variance 2/fan_in, for rectifiers.

    **Source.** He et al. 2015, arXiv:1502.01852, equation 10.
    """

    name, variance, is_uniform = "he_uniform", 2, True


class HeNormal(Scaled):
    """Normal of variance 2/fan_in, for rectifiers.

    **Source.** He et al. 2015, arXiv:1502.01852, equation 10.
    """

    name, variance = "he_normal", 2


class LecunUniform(Scaled):
    """Uniform of variance 1/fan_in.

    **Source.** LeCun et al. 1998, Efficient BackProp, equation 16.
    """

    name, is_uniform = "lecun_uniform", True


class LecunNormal(Scaled):
    """Normal of variance 1/fan_in.

    **Source.** LeCun et al. 1998, Efficient BackProp, equation 16.
    """

    name = "lecun_normal"


@dataclass(frozen=True, repr=False)
class Orthogonal(_Drawn):
    """A random matrix with orthonormal rows or columns (whichever are fewer), times `gain`.

    A filter is taken as the matrix [out, in/groups * k…].
    **Source.** Saxe et al. 2013, arXiv:1312.6120. The orthogonal factor U V^T of a normal matrix
    U S V^T is uniformly distributed, and unique, so no sign needs fixing.
    """

    name = "orthogonal"
    gain: float = 1.0

    def _matrix(self, shape: tuple[int, ...]) -> tuple[int, int]:
        if len(shape) < 2:
            raise GraphError(
                "orthogonal needs a matrix", got=shape_text(shape), fix="use init=normal(0.01)"
            )
        return shape[0], math.prod(shape[1:])

    def expression(self, shape: tuple[int, ...]) -> str:
        drawn = f"rng.standard_normal({_NUMPY.size(self._matrix(shape))})"
        text = f"np.matmul(*np.linalg.svd({drawn}, False)[::2])"
        text = text if len(shape) == 2 else f"{text}.reshape({_NUMPY.size(shape)})"
        return text if self.gain == 1 else f"{self.gain!r} * {text}"

    def numbers(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        drawn = rng.standard_normal(self._matrix(shape))
        left, _, right = np.linalg.svd(drawn, full_matrices=False)
        values = np.matmul(left, right).reshape(shape)
        return np.asarray(values if self.gain == 1 else self.gain * values)


def held(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return fixed values in a dtype that holds them: floats may be rounded, whole numbers not.

    **Raises.** GraphError where a value would become another.
    """
    with np.errstate(all="ignore"):
        try:
            converted = values.astype(dtype)
        except OverflowError:  # an integer of Python's, beyond all of NumPy's
            raise _not_held(values.flat[0], dtype) from None
    if is_float(values.dtype) and is_float(dtype):
        lost = values[np.isinf(converted) & ~np.isinf(values)].tolist()
    elif values.dtype == dtype:
        lost = []
    else:  # Python compares integers and floats exactly, NumPy does not
        pairs = zip(values.ravel().tolist(), converted.ravel().tolist(), strict=True)
        lost = [given for given, kept in pairs if given != kept]
    if lost:
        raise _not_held(lost[0], dtype)
    return converted


def _not_held(value: Any, dtype: np.dtype) -> GraphError:
    return user_error(
        f"an initial value is one that {dtype.name} cannot hold exactly",
        got=repr(value),
        fix="give the parameter another dtype, or round the value on purpose",
    )


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a parameter: see the head of this file.

    >>> fans((784, 10)), fans((6, 3, 5, 5))
    ((784, 10), (75, 150))
    """
    if len(shape) <= 2:
        fan_in, fan_out = (shape[0], shape[-1]) if shape else (1, 1)
    else:
        field = math.prod(shape[2:])
        fan_in, fan_out = shape[1] * field, shape[0] * field
    return max(1, fan_in), max(1, fan_out)
