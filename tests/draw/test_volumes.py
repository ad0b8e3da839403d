"""ConvNet volumes, sliding filters, and the banded matrix of a convolution."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest
from drawn_graphs import boxes, center, edges, rectangle, texts

import graphc as gc
from graphc.draw import Drawing
from graphc.draw.convnets.filters import matrix_entries
from graphc.draw.convnets.stages import find_way


def lenet() -> gc.Graph:
    x = gc.input("x", ("N", 1, 32, 32))
    h = gc.nn.max_pool2d(gc.nn.conv2d(x, 6, 5, activation=gc.relu, name="c1"), 2)
    h = gc.nn.max_pool2d(gc.nn.conv2d(h, 16, 5, activation=gc.relu, name="c2"), 2)
    h = gc.nn.dense(gc.reshape(h, (h.shape[0], 400)), 120, activation=gc.relu, name="d1")
    return gc.graph({"p": gc.softmax(gc.nn.dense(h, 10, name="d2"))}, name="lenet")


def stages(graph: gc.Graph) -> list[tuple[str, tuple[Any, ...]]]:
    return [(stage.words, stage.shape) for stage in find_way(graph).stages]


def test_the_volumes_of_lenet_have_the_shapes_of_shape_inference() -> None:
    assert stages(lenet()) == [
        ("input", (1, 32, 32)),
        ("conv 5×5", (6, 28, 28)),
        ("max pool 2×2", (6, 14, 14)),
        ("conv 5×5", (16, 10, 10)),
        ("max pool 2×2", (16, 5, 5)),
        ("dense", (120,)),
        ("dense", (10,)),
    ]
    shown = texts(gc.draw.volumes(lenet()))
    assert {"1 @ 32×32", "6 @ 28×28", "16 @ 5×5", "120", "10", "conv 5×5"} <= set(shown)


def test_stride_dilation_groups_and_means_are_told() -> None:
    x = gc.input("x", ("N", 4, 32, 32))
    h = gc.nn.conv2d(x, 8, 5, stride=2, groups=2)
    h = gc.nn.conv2d(gc.nn.avg_pool2d(h, 2), 16, 3, dilation=2)
    graph = gc.graph({"y": gc.nn.dense(h.mean(axis=(2, 3)), 3)})
    assert stages(graph) == [
        ("input", (4, 32, 32)),
        ("conv 5×5, stride 2, 2 groups", (8, 14, 14)),
        ("mean pool 2×2", (8, 7, 7)),
        ("conv 3×3, dilation 2", (16, 3, 3)),
        ("mean of all positions", (16,)),
        ("dense", (3,)),
    ]


def test_sequences_have_volumes_too() -> None:
    x = gc.input("x", ("N", 2, 20))
    graph = gc.graph({"y": gc.nn.max_pool1d(gc.nn.conv1d(x, 5, 3), 2)})
    assert [shape for _, shape in stages(graph)] == [(2, 20), (5, 18), (5, 9)]
    assert "5 @ 9" in texts(gc.draw.volumes(graph))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kernel_size": 2, "stride": 2}, "2×2, stride 2"),
        ({"kernel_size": 3}, "3×3"),
        ({"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1}, "3×3, stride 2"),
        ({"kernel_size": 3, "dilation": 2, "padding": 1, "groups": 2}, "3×3, dilation 2"),
    ],
)
@pytest.mark.parametrize("use_bias", [True, False])
def test_a_transposed_convolution_is_a_volume_not_a_dense_layer(
    options: dict[str, Any], words: str, use_bias: bool
) -> None:
    x = gc.input("x", ("N", 2, 16, 16))
    up = gc.nn.conv_transpose2d(x, 4, use_bias=use_bias, **options)
    graph = gc.graph({"y": gc.nn.conv2d(up, 3, 3, padding=1)})
    assert stages(graph) == [
        ("input", (2, 16, 16)),
        (f"transposed conv {words}", up.shape[1:]),
        ("conv 3×3", (3, *up.shape[2:])),
    ]


def test_only_transposed_convolutions_are_volumes_too() -> None:
    noise = gc.input("noise", ("N", 8))
    h = gc.reshape(gc.nn.dense(noise, 96, activation=gc.relu), ("N", 6, 16))
    h = gc.nn.conv_transpose1d(h, 4, 4, stride=2, padding=1, activation=gc.relu)
    graph = gc.graph({"wave": gc.nn.conv_transpose1d(h, 1, 4, stride=2, padding=1)})
    assert stages(graph) == [
        ("input", (8,)),
        ("dense", (96,)),
        ("transposed conv 4, stride 2", (4, 32)),
        ("transposed conv 4, stride 2", (1, 64)),
    ]


def test_the_window_of_a_transposed_convolution_lies_on_the_volume_that_it_writes() -> None:
    x = gc.input("x", ("N", 3, 8, 8))
    up = gc.nn.conv_transpose2d(x, 4, 2, stride=2)
    found = boxes(gc.draw.volumes(gc.graph({"y": gc.nn.conv2d(up, 2, 5)})))
    sheet = rectangle(found["v1"])
    written, read = rectangle(found["window1"]), rectangle(found["window2"])
    for inner in (written, read):
        assert sheet[0] <= inner[0] and inner[2] <= sheet[2]
        assert sheet[1] <= inner[1] and inner[3] <= sheet[3]
    assert written[2] <= read[0] and written[3] <= read[1]


def test_volumes_stand_side_by_side_and_shrink_with_their_size() -> None:
    picture = gc.draw.volumes(lenet())
    found = boxes(picture)
    fronts = [rectangle(found[f"v{i}"]) for i in range(7)]
    assert all(a[2] < b[0] for a, b in itertools.pairwise(fronts))
    widths = [right - left for left, _, right, _ in fronts[:5]]
    assert widths == sorted(widths, reverse=True)
    assert {(f"v{i}", f"v{i + 1}") for i in range(6)} <= edges(picture)
    windows = {key for key in found if key.startswith("window")}
    assert windows == {"window1", "window2", "window3", "window4"}
    for i in range(1, 5):  # each window lies on the volume that it reads
        inner, outer = rectangle(found[f"window{i}"]), fronts[i - 1]
        assert outer[0] <= inner[0] and inner[2] <= outer[2]
        assert outer[1] <= inner[1] and inner[3] <= outer[3]


def test_words_of_volumes_never_overlap() -> None:
    found = boxes(gc.draw.volumes(lenet()))
    words = {k: rectangle(v) for k, v in found.items() if k.startswith(("step", "shape"))}
    for (a, p), (b, q) in itertools.combinations(words.items(), 2):
        assert p[2] <= q[0] or q[2] <= p[0] or p[3] <= q[1] or q[3] <= p[1], f"{a}, {b}"


def test_a_graph_without_windows_is_refused() -> None:
    graph = gc.graph({"y": gc.nn.dense(gc.input("x", ("N", 3)), 2)})
    with pytest.raises(gc.GraphError, match="no convolution found"):
        gc.draw.volumes(graph)


# -- joins -----------------------------------------------------------------------------------------


def conv(x: gc.Node, size: int, kernel: int = 3, **options: Any) -> gc.Node:
    return gc.nn.conv2d(x, size, kernel, padding=kernel // 2, **options)


def image(channels: int = 1) -> gc.Node:
    return gc.input("x", ("N", channels, 8, 8))


def unet() -> gc.Graph:
    c = conv(image(), 3)
    up = gc.nn.conv_transpose2d(conv(gc.nn.max_pool2d(c, 2), 4), 3, 2, stride=2)
    return gc.graph({"z": conv(gc.concat([up, c], axis=1), 1, 1)}, name="unet")


def branches(graph: gc.Graph) -> list[tuple[int | None, int, str]]:
    """Return where each line begins and ends that skips volumes, and its words."""
    found = find_way(graph).stages
    return [(b.start, i, b.words) for i, stage in enumerate(found) for b in stage.branches]


def test_a_skip_of_a_unet_joins_with_its_channels() -> None:
    graph = unet()
    assert stages(graph)[-3:] == [
        ("transposed conv 2×2, stride 2", (3, 8, 8)),
        ("concat", (6, 8, 8)),
        ("conv 1×1", (1, 8, 8)),
    ]
    assert branches(graph) == [(1, 5, "")]
    picture = gc.draw.volumes(graph)
    assert ("v1", "v5") in edges(picture) and "6 @ 8×8" in texts(picture)
    assert "concat with conv 3×3 (3 @ 8×8): 6 @ 8×8." in picture.description


def test_sizes_without_a_number_are_formulas_and_windows_stay_inside() -> None:
    x = gc.input("x", ("N", 1, "H", "W"))
    picture = gc.draw.volumes(gc.graph({"y": gc.nn.conv2d(x, 2, 3, stride=2)}))
    assert "2 @ (⌊(H − 3)/2⌋ + 1)×(⌊(W − 3)/2⌋ + 1)" in texts(picture)
    found = boxes(picture)
    sheet, window = rectangle(found["v0"]), rectangle(found["window1"])
    assert window[2] - window[0] < (sheet[2] - sheet[0]) / 2


def test_the_two_kinds_of_windows_are_explained() -> None:
    read, written = (
        "□ what one element of the next volume reads",
        "■ where one element of the volume before is added",
    )
    both = " ".join(texts(gc.draw.volumes(unet())))
    assert read in both and written in both
    alone = " ".join(texts(gc.draw.volumes(lenet())))
    assert read in alone and written not in alone


def test_residual_sums_are_joins_with_what_is_done_on_the_way() -> None:
    h = conv(image(3), 8)
    h = gc.relu(h + conv(conv(h, 8), 8))
    h = conv(h, 16, 1, stride=2) + conv(conv(h, 16, stride=2), 16)
    graph = gc.graph({"y": gc.nn.dense(h.mean(axis=(2, 3)), 5)})
    assert branches(graph) == [(1, 4, ""), (4, 7, "conv 1×1, stride 2")]
    assert [words for words, _ in stages(graph)].count("sum") == 2


def inception() -> gc.Graph:
    x = image(3)
    ways = [conv(x, 4, 1), conv(conv(x, 4, 1), 8), conv(conv(x, 2, 1), 4, 5)]
    return gc.graph({"y": conv(gc.concat(ways, axis=1), 2)}, name="inception")


def test_parallel_ways_are_found_beside_the_longest() -> None:
    assert branches(inception()) == [(0, 3, "conv 1×1"), (0, 3, "conv 1×1, conv 5×5")]
    assert stages(inception())[3] == ("concat", (16, 8, 8))


def test_lines_beside_the_main_way_neither_cross_nor_hide_words() -> None:
    x = image(3)
    shortcuts = [conv(x, 4, 1) for _ in range(2)]
    graph = gc.graph({"y": conv(conv(x, 4), 4) + shortcuts[0] + shortcuts[1]}, name="shortcuts")
    picture = gc.draw.volumes(graph)
    found = re.findall(r'id="skip\d", pos="e,(\S+),\S+ (\S+),\S+ [^"]*"', picture.source)
    (end0, start0), (end1, start1) = [(float(end), float(start)) for end, start in found]
    assert start1 < start0 < end0 < end1  # the outer line is the longer one
    words = {k: rectangle(v) for k, v in boxes(picture).items() if k.startswith(("way", "step"))}
    assert {"way0", "way1"} <= set(words)
    for (a, p), (b, q) in itertools.combinations(words.items(), 2):
        assert p[2] <= q[0] or q[2] <= p[0] or p[3] <= q[1] or q[3] <= p[1], f"{a}, {b}"


def test_inputs_of_their_own_join_by_their_shape() -> None:
    x, y, v = image(), gc.input("y", ("N", 2, 8, 8)), gc.input("v", ("N", 3))
    h = gc.reshape(gc.nn.max_pool2d(conv(gc.concat([x, y], axis=1), 4), 2), ("N", 64))
    graph = gc.graph({"out": gc.nn.dense(gc.concat([h, v], axis=1), 2)})
    assert branches(graph) == [(None, 1, "input 2 @ 8×8"), (None, 4, "input 3")]
    assert [shape for _, shape in stages(graph)][1] == (3, 8, 8)
    assert [shape for _, shape in stages(graph)][4] == (67,)
    assert "input 2 @ 8×8" in texts(gc.draw.volumes(graph))


def test_channels_that_a_volume_is_given_twice_are_counted_twice() -> None:
    h = conv(image(), 3)
    graph = gc.graph({"y": conv(gc.concat([gc.relu(h), gc.relu(-h)], axis=1), 2)})
    assert stages(graph)[2] == ("concat", (6, 8, 8)) and not branches(graph)


def test_edges_that_are_handed_around_are_no_join() -> None:
    x = gc.input("x", ("N", 1, 16))
    for size in (4, 2):
        x = gc.nn.conv1d(gc.concat([x[:, :, -1:], x, x[:, :, :1]], axis=2), size, 3)
    assert stages(gc.graph({"y": x})) == [
        ("input", (1, 16)),
        ("conv 3", (4, 16)),
        ("conv 3", (2, 16)),
    ]


def test_neither_losses_nor_derivatives_are_volumes() -> None:
    x = image()
    y = gc.nn.conv_transpose2d(conv(x, 4, stride=2), 1, 2, stride=2)
    loss = ((y - x) ** 2).mean()
    graph = gc.graph({"loss": loss})
    trained = gc.graph({"loss": loss, "d": gc.grad(loss, list(graph.params.values()))[0]})
    words = ["input", "conv 3×3, stride 2", "transposed conv 2×2, stride 2"]
    assert [found for found, _ in stages(graph)] == words
    assert [found for found, _ in stages(trained)] == words
    assert [found for found, _ in stages(gc.graph({"error": y - x}))] == [*words, "difference"]


def test_heads_beside_the_last_layer_are_named() -> None:
    h = conv(image(), 4)
    box = gc.nn.dense(h.mean(axis=(2, 3)), 4, name="box")
    graph = gc.graph({"box": box, "mask": conv(h, 2, 1)})
    picture = gc.draw.volumes(graph)
    assert "not drawn: dense (4)" in texts(picture)
    assert not any(text.startswith("not drawn") for text in texts(gc.draw.volumes(unet())))


def test_branches_that_meet_beside_the_main_way_are_refused() -> None:
    x = image(3)
    inner = conv(x, 4, 1) + conv(conv(x, 4, 1), 4)
    graph = gc.graph({"y": conv(conv(conv(conv(conv(x, 4), 4), 4), 4) + inner, 2)})
    with pytest.raises(gc.GraphError, match="branches that meet beside the main way: sum"):
        gc.draw.volumes(graph)


# -- sliding filters -------------------------------------------------------------------------------


def cells(picture: Drawing, key: str, role: str = "") -> set[tuple[int, int]]:
    """Return the places of a grid's cells that have a role."""
    pattern = rf'^  {key}_(\d+)_(\d+) .*class="([^"]*)"'
    found = re.findall(pattern, picture.source, re.MULTILINE)
    return {(int(r), int(c)) for r, c, roles in found if not role or role in roles.split()}


FRAMES = [
    (3, 1, 0, 1, 5),
    (3, 2, 1, 1, 5),
    (3, 1, 0, 2, 7),
    ((2, 3), (1, 2), (0, 1), 1, (4, 6)),
    (1, 1, 0, 1, 1),
]


@pytest.mark.parametrize(("kernel", "stride", "pad", "dilation", "size"), FRAMES)
def test_the_result_of_a_sliding_filter_has_the_inferred_size(
    kernel: Any, stride: Any, pad: Any, dilation: Any, size: Any
) -> None:
    picture = gc.draw.sliding_filter(kernel, stride, pad, dilation, size)
    rows, columns = size if isinstance(size, tuple) else (size, size)
    x = gc.input("x", (1, rows, columns))
    y = gc.nn.conv2d(x, 1, kernel, stride=stride, padding=pad, dilation=dilation)
    assert cells(picture, "o0") == set(itertools.product(range(y.shape[1]), range(y.shape[2])))
    high, wide = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    assert len(cells(picture, "i0", "marked")) == high * wide
    assert cells(picture, "o0", "marked") == {(0, 0)}


def test_stride_and_dilation_move_and_spread_what_is_read() -> None:
    strided = gc.draw.sliding_filter(2, stride=2, size=6, positions=[(1, 2)])
    assert cells(strided, "i0", "marked") == {(2, 4), (2, 5), (3, 4), (3, 5)}
    dilated = gc.draw.sliding_filter(2, dilation=3, size=6, positions=[(1, 0)])
    assert cells(dilated, "i0", "marked") == {(1, 0), (1, 3), (4, 0), (4, 3)}
    padded = gc.draw.sliding_filter(3, pad=1, size=3)
    assert len(cells(padded, "i0", "padding")) == 25 - 9


def test_a_filter_that_does_not_fit_is_refused() -> None:
    with pytest.raises(gc.GraphError):
        gc.draw.sliding_filter(7, size=5)
    with pytest.raises(gc.GraphError, match="no such position"):
        gc.draw.sliding_filter(3, size=5, positions=[(3, 0)])
    with pytest.raises(gc.GraphError, match="too many cells"):
        gc.draw.sliding_filter(3, size=500)


# -- the banded matrix -----------------------------------------------------------------------------


@pytest.mark.parametrize(("stride", "pad", "dilation"), [(1, 0, 1), (2, 1, 1), (1, 2, 2)])
def test_the_banded_matrix_times_a_vector_is_the_convolution(
    stride: int, pad: int, dilation: int
) -> None:
    w, values = np.array([0.5, -2.0, 3.0]), np.arange(1.0, 9.0)
    x = gc.input("x", (1, 8), dtype="float64")
    kernel = gc.param("w", (1, 1, 3), dtype="float64")
    y = gc.nn.conv1d(
        x, 1, weight=kernel, use_bias=False, stride=stride, padding=pad, dilation=dilation
    )
    graph = gc.graph({"y": y})
    expected = gc.interpret(graph, {"w": w.reshape(1, 1, 3)}, x=values[None])["y"][0]
    picture = gc.draw.banded_matrix(w, 8, stride=stride, pad=pad, dilation=dilation)
    rows = {r for r, _ in cells(picture, "a")}
    entries = matrix_entries(3, len(rows), 8, stride, pad, dilation)
    assert cells(picture, "a", "weight") == set(entries)
    matrix = np.zeros((len(rows), 8))
    for place, k in entries.items():
        matrix[place] = w[k]
    np.testing.assert_allclose(matrix @ values, expected)


def test_the_weights_of_a_banded_matrix_are_named_or_numbers() -> None:
    assert texts(gc.draw.banded_matrix(3, 5)).count("w₁") == 3
    assert texts(gc.draw.banded_matrix([1, -1], 3)).count("−1") == 2
    with pytest.raises(gc.GraphError, match="at least one weight"):
        gc.draw.banded_matrix(0)
    with pytest.raises(gc.GraphError, match="list of weights"):
        gc.draw.banded_matrix(np.ones((2, 2)))


def test_rows_of_the_matrix_stand_under_one_another() -> None:
    found = boxes(gc.draw.banded_matrix(3, 6))
    tops = [center(found[f"a_{r}_0"])[1] for r in range(4)]
    assert tops == sorted(tops, reverse=True)
    assert tops == [center(found[f"y_{r}"])[1] for r in range(4)]


def test_rows_of_pixels_that_become_an_image_are_drawn_as_one() -> None:
    x = gc.input("x", ("N", 64))
    h = gc.nn.conv2d(x.reshape(-1, 1, 8, 8), 4, 3, padding=1, name="conv")
    picture = gc.draw.volumes(gc.graph({"y": gc.nn.max_pool2d(h, 2)}))
    assert [text for text in texts(picture) if "@" in text] == ["1 @ 8×8", "4 @ 8×8", "4 @ 4×4"]
