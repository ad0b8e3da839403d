"""The Jacobian of an elementwise layer is diagonal: of a wide one, only the diagonal is built."""

from __future__ import annotations

import time

import numpy as np

import graphc as gc


def main(samples: int = 100, width: int = 2048) -> dict[str, float]:
    """Return seconds and bytes of the compact Jacobian of a sigmoid layer, float32."""
    layer = gc.graph({"y": gc.sigmoid(gc.input("x", (samples, width)))}, name="layer")
    x = np.random.default_rng(0).normal(size=(samples, width)).astype("float32")
    start = time.perf_counter()
    structure = layer.jacobian_structure("y", "x")
    f = gc.compile(layer.jacobian("y", "x", form="compact"))
    compiled = time.perf_counter()
    found = f(x=x)
    seconds = time.perf_counter() - compiled

    compact, full = found["d_y_d_x"], (samples * width) ** 2 * 4
    print(f"dy/dx is {structure}")
    print(f"compact: {compact.shape}, {compact.nbytes:,} bytes")
    print(f"  {compiled - start:.3f} s to derive and compile, {seconds:.4f} s to compute")
    print(f"in full: {samples * width:,} x {samples * width:,}, {full:,} bytes, never built")

    small = layer_of(3)
    array = gc.compile(small.jacobian("y", "x"))(x=np.array([-1.0, 0.0, 2.0]))["d_y_d_x"]
    print(f"of 3 units, in full:\n{array.round(3)}")
    return {"seconds": seconds, "bytes": compact.nbytes, "full": full}


def layer_of(width: int) -> gc.Graph:
    """Return a layer of a few units, whose Jacobian can be looked at."""
    return gc.graph({"y": gc.sigmoid(gc.input("x", (width,), "float64"))}, name="small")


if __name__ == "__main__":
    main()
