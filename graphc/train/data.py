"""Arrays made ready for training: scaled, encoded, cut, cropped and flipped.

Whatever is measured on the data (a mean, a vocabulary) is measured on the training set and applied
to every other set; nothing here changes its arguments.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from graphc.build.arrays.whole_numbers import whole
from graphc.build.settings import is_number
from graphc.errors import GraphError
from graphc.ir.attributes import plain
from graphc.ir.types import FLOAT32
from graphc.ops.axes import one_axis
from graphc.run.arguments import NUMBERED, as_array, as_generator

__all__ = [
    "Standardizer",
    "Vocabulary",
    "batches",
    "ngram_windows",
    "one_hot",
    "random_crop",
    "random_flip",
    "split",
    "standardizer",
    "subtract_mean",
]


# -- scaling -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standardizer:
    """(x - mean)/scale, with the numbers of the data that it was made from."""

    mean: np.ndarray
    scale: np.ndarray

    def __call__(self, x: Any) -> np.ndarray:
        """Return scaled data in the float type that they have, float32 if they have none."""
        array = _floating(x)
        return np.asarray((array - self.mean) / self.scale, array.dtype)

    def undo(self, z: Any) -> np.ndarray:
        """Return the data that were scaled to `z`."""
        array = _floating(z)
        return np.asarray(array * self.scale + self.mean, array.dtype)


def standardizer(x: Any, axis: int | tuple[int, ...] = 0) -> Standardizer:
    """Return the map to mean 0 and standard deviation 1 over `axis`; constant features become 0.

    **Shapes.** x: [N, ...]; axis 0 scales each feature, (0, 2, 3) each channel of [N, C, H, W].
    **Raises.** GraphError where there are no examples, or where one is not finite.

    >>> to_standard = standardizer([[1.0, 5.0], [3.0, 5.0]])
    >>> to_standard([[4.0, 6.0]])
    array([[2., 1.]])
    """
    array = _floating(x)
    if not array.size:
        raise GraphError("there are no examples to measure", got=str(list(array.shape)))
    odd = np.argwhere(~np.isfinite(array))
    if odd.size:
        raise GraphError(
            "there is no mean of what is not finite",
            got=f"{len(odd)} of {array.size} values, the first at {odd[0].tolist()}",
            fix="leave those examples out, or fill them: np.nan_to_num(x)",
        )
    mean = array.mean(axis=axis, keepdims=True, dtype=np.float64)
    spread = array.std(axis=axis, keepdims=True, dtype=np.float64)
    # Rounding gives a constant column a spread of about 1e-17 times its size, not 0.
    constant = spread <= 1e-12 * np.abs(mean)
    return Standardizer(mean, np.where(constant, 1.0, spread))


def subtract_mean(x: Any, axis: int | tuple[int, ...] = 0) -> Standardizer:
    """Return the map that takes the mean over `axis` away and leaves the scale as it is.

    **Shapes.** x: [N, ...]; axis 0 is the mean image, (0, 2, 3) the mean of each channel.
    **Raises.** GraphError where there are no examples, or where one is not finite.
    """
    mean = standardizer(x, axis).mean
    return Standardizer(mean, np.ones_like(mean))


def _floating(x: Any) -> np.ndarray:
    array = np.asarray(x)
    if array.dtype.kind in "iub":
        return array.astype(np.float32)
    return array if array.dtype.kind == "f" else as_array(x, FLOAT32, "x")


# -- labels --------------------------------------------------------------------------------------


def one_hot(labels: Any, classes: int | None = None, dtype: Any = "float32") -> np.ndarray:
    """Return rows of zeros with a 1 at each label; `classes` is the largest label + 1 unless given.

    **Shapes.** [...] integers -> [..., classes]
    **Raises.** GraphError for labels that are not integers, or do not lie in 0 … classes - 1.

    >>> one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    indices = np.asarray(labels)
    if indices.dtype.kind not in "iu":
        raise GraphError(
            "one_hot takes integers",
            got=indices.dtype.name,
            fix=NUMBERED if indices.dtype.kind in "USO" else None,
        )
    most = int(indices.max()) if indices.size else -1  # unsigned integers have no -1
    count = whole("classes", most + 1 if classes is None else classes, 0, of="one_hot")
    outside = indices[(indices < 0) | (indices >= count)]
    if outside.size:
        raise GraphError(
            "one_hot: a label is none of the classes",
            got=str(outside.flat[0]),
            expected=f"0 to {count - 1}",
        )
    return np.asarray(np.eye(count, dtype=dtype)[indices])


# -- batches -------------------------------------------------------------------------------------


def split(
    arrays: Mapping[str, Any], share: float = 0.25, seed: int = 0
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return (training, held-out) data: a random `share` of the examples is held out.

    **Shapes.** each array: [N, ...]
    **Raises.** GraphError for arrays of different lengths, or a share that is no number or leaves
    one part empty.
    """
    data, count = _examples(arrays)
    if not is_number(plain(share)) or not math.isfinite(share):
        raise GraphError("share of split must be a number between 0 and 1", got=repr(share))
    held = round(share * count)
    if not 0 < held < count:
        raise GraphError(
            "split: one part would be empty", got=f"{share} of {count} examples are {held}"
        )
    order = np.random.default_rng(seed).permutation(count)
    rest, out = np.sort(order[held:]), np.sort(order[:held])
    return {k: a[rest] for k, a in data.items()}, {k: a[out] for k, a in data.items()}


def batches(
    arrays: Mapping[str, Any], size: int, rng: np.random.Generator | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """Return one pass over the examples in batches, the last one smaller; shuffled by `rng`.

    **Shapes.** each array: [N, ...] -> [size, ...]
    **Raises.** GraphError for arrays of different lengths, or a size that is no number from 1 on.

    >>> [batch["x"].tolist() for batch in batches({"x": [1, 2, 3]}, 2)]
    [[1, 2], [3]]
    """
    data, count = _examples(arrays)
    size = whole("size", size, 1, of="batches")
    order = np.arange(count) if rng is None else as_generator(rng, "batches").permutation(count)
    parts = [order[first : first + size] for first in range(0, count, size)]
    return ({name: array[rows] for name, array in data.items()} for rows in parts)


def _examples(arrays: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], int]:
    """Return the arrays and their common length."""
    if not isinstance(arrays, Mapping):
        raise GraphError(
            "data must name its arrays",
            got=f"a value of type {type(arrays).__name__}",
            expected='{"x": …, "y": …}',
        )
    data = {name: np.asarray(array) for name, array in arrays.items()}
    lengths = {name: len(array) if array.ndim else 0 for name, array in data.items()}
    if len(set(lengths.values())) != 1:
        raise GraphError(
            "the arrays differ in their number of examples",
            got=", ".join(f"{name}: {length}" for name, length in lengths.items()) or "no arrays",
        )
    return data, next(iter(lengths.values()))


# -- images --------------------------------------------------------------------------------------


def random_crop(
    images: Any, size: tuple[int, int], rng: np.random.Generator, padding: int = 0
) -> np.ndarray:
    """Return a window of each image at its own random place, after a frame of zeros was added.

    **Shapes.** images: [..., H, W] -> [..., h, w] with size (h, w); the first axis is the images'.
    **Raises.** GraphError where the window is larger than the padded image, and for a size or a
    padding that is no whole number.
    """
    array, rng = _images(images, "random_crop"), as_generator(rng, "random_crop")
    size, padding = _window(size), whole("padding", padding, 0, of="random_crop")
    frame = [(0, 0)] * (array.ndim - 2) + [(padding, padding)] * 2
    padded = np.pad(array, frame)
    rows, columns = padded.shape[-2] - size[0] + 1, padded.shape[-1] - size[1] + 1
    if rows < 1 or columns < 1:
        raise GraphError(
            "random_crop: the window does not fit into the image",
            got=f"window {list(size)}, image {list(array.shape[-2:])}, padding {padding}",
        )
    views = sliding_window_view(padded, size, axis=(-2, -1))  # [N, ..., rows, columns, h, w]
    count = len(array)
    top, left = rng.integers(rows, size=count), rng.integers(columns, size=count)
    result = np.empty((*array.shape[:-2], *size), array.dtype)
    for image in range(count):
        result[image] = views[image, ..., top[image], left[image], :, :]
    return result


def random_flip(
    images: Any, rng: np.random.Generator, axis: int = -1, probability: float = 0.5
) -> np.ndarray:
    """Return the images, each mirrored along `axis` with a probability: -1 left to right.

    **Shapes.** images: [N, ..., H, W] -> the same shape.
    **Raises.** GraphError for an axis that is the images' own or none, or no probability.
    """
    array, rng = _images(images, "random_flip"), as_generator(rng, "random_flip")
    if one_axis(axis, array.ndim, "random_flip") == 0:
        raise GraphError("random_flip: no axis of an image", got=f"axis {axis}")
    if not is_number(plain(probability)) or not 0 <= probability <= 1:
        raise GraphError("random_flip: a probability lies in [0, 1]", got=repr(probability))
    chosen = rng.random(len(array)) < probability
    result = array.copy()
    result[chosen] = np.flip(array[chosen], axis)
    return result


def _window(size: Any) -> tuple[int, int]:
    """Return the height and the width of a window."""
    if not isinstance(size, (list, tuple, np.ndarray)) or len(size) != 2:
        raise GraphError("random_crop takes two sizes", got=repr(size), expected="(h, w)")
    height, width = [whole("size", length, 1, of="random_crop") for length in size]
    return height, width


def _images(images: Any, what: str) -> np.ndarray:
    array = np.asarray(images)
    if array.ndim < 3:
        raise GraphError(
            f"{what} takes a stack of images", got=str(list(array.shape)), expected="[N, ..., H, W]"
        )
    return array


# -- sequences -----------------------------------------------------------------------------------


def ngram_windows(sequence: Any, size: int) -> np.ndarray:
    """Return every run of `size` neighbours, in order: contexts are [:, :-1], targets [:, -1].

    **Shapes.** [T, ...] -> [T - size + 1, size, ...]
    **Raises.** GraphError where the sequence is shorter than a window, or a size no whole number.

    >>> ngram_windows([5, 6, 7, 8], 3).tolist()
    [[5, 6, 7], [6, 7, 8]]
    """
    array, size = np.asarray(sequence), whole("size", size, 0, of="ngram_windows")
    if not array.ndim or not 1 <= size <= len(array):
        length = len(array) if array.ndim else 0
        raise GraphError(
            "ngram_windows: no window fits", got=f"size {size}, a sequence of {length}"
        )
    return np.moveaxis(sliding_window_view(array, size, axis=0), -1, 1).copy()


@dataclass(frozen=True)
class Vocabulary:
    """The different tokens of a text, characters or words, and their numbers.

    >>> letters = Vocabulary.of("hello")
    >>> letters.tokens
    ('e', 'h', 'l', 'o')
    >>> letters.decode(letters.encode("hole"))
    ['h', 'o', 'l', 'e']
    """

    tokens: tuple[str, ...]

    @classmethod
    def of(cls, text: Iterable[str]) -> Vocabulary:
        """Return the sorted tokens of a text: a string's characters, or a list's words."""
        return cls(tuple(sorted(set(text))))

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: Iterable[str]) -> np.ndarray:
        """Return the number of each token. **Shapes.** T tokens -> [T] int64

        **Raises.** GraphError for a token that is not in the vocabulary.
        """
        number = {token: index for index, token in enumerate(self.tokens)}
        given = list(text)
        found = [number.get(token, -1) for token in given]
        if -1 in found:
            raise GraphError(
                "a token is not in the vocabulary",
                where=f"position {found.index(-1)}",
                got=repr(given[found.index(-1)]),
                expected=f"one of {len(self)} known tokens",
            )
        return np.array(found, np.int64)

    def decode(self, indices: Sequence[int] | np.ndarray) -> list[str]:
        """Return the tokens of numbers; `"".join` makes a text of characters.

        **Shapes.** [T] integers -> T tokens
        **Raises.** GraphError for what is no sequence of integers, and a number that no token has.
        """
        array = np.asarray(indices)
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
            raise GraphError(
                "decode takes whole numbers, one for each token",
                got=f"{array.dtype.name} {list(array.shape)}",
                expected="integers [T]",
            )
        if array.size and not 0 <= array.min() <= array.max() < len(self):
            raise GraphError(
                "a number is beside the vocabulary",
                got=f"{array.min()} to {array.max()}",
                expected=f"0 to {len(self) - 1}",
            )
        return [self.tokens[index] for index in array.astype(int).tolist()]
