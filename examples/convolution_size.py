"""How large is the result of a convolution? ⌊(w + 2p − k)/s⌋ + 1, found by shape inference."""

from __future__ import annotations

import graphc as gc


def one_filter(w: object, k: object, stride: object, padding: object) -> gc.Node:
    """Return one filter of k × k over a square image of w × w, any of them numbers or names."""
    image = gc.input("image", ("N", 1, w, w))
    return gc.nn.conv2d(image, 1, k, stride=stride, padding=padding, name="filter")


def main() -> dict[str, str]:
    """Print and return the types that shape inference finds."""
    w, k, s, p = map(gc.dim, "wksp")
    image = gc.input("image", (3, 32, 32))
    maps = gc.nn.conv2d(image, 6, 5, name="filters")
    found = {
        "k x k, stride s, padding p": one_filter(w, k, s, p),
        "k = 3, s = 1, p = 1 keeps the size": one_filter(w, 3, 1, 1),
        "k = 3, s = 2, p = 1": one_filter(w, 3, 2, 1),
        "six 5x5x3 filters on 32x32x3": maps,
    }
    for name, node in found.items():
        print(f"{name:35} {node.type}")
    channels, height, width = maps.shape
    weights = gc.graph({"maps": maps}).params["filters.W"]
    print(f"that is {height}x{width}x{channels}, from {weights.size} weights, {weights.type}")
    return {name: str(node.type) for name, node in found.items()}


if __name__ == "__main__":
    main()
