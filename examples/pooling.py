"""Max and average pooling: where the gradient goes.

The gradient of a maximum goes to the index that took the maximum, the first one where several tie,
and nowhere else. An average hands an equal share to every index.
"""

from __future__ import annotations

import numpy as np

import graphc as gc

IMAGE = np.array([[1, 5, 2, 0], [3, 4, 8, 8], [7, 0, 1, 2], [6, 7, 3, 4]], np.float64)


def main() -> dict[str, np.ndarray]:
    """Pool a 4×4 image by 2×2 in both ways; print and return the pooled values and gradients."""
    image = gc.input("image", (1, 1, 4, 4), dtype="float64")
    found = {"image": IMAGE}
    for name, pool in (("max", gc.nn.max_pool2d), ("average", gc.nn.avg_pool2d)):
        pooled = pool(image, 2)
        weights = np.array([[1.0, 2.0], [3.0, 4.0]])  # what arrives from above
        graph = gc.graph({"pooled": pooled, "loss": gc.sum(pooled * weights)}, name=name)
        outputs = gc.compile(graph, gradient_of="loss")(image=IMAGE[None, None])
        found[f"{name} pooled"] = outputs["pooled"][0, 0]
        found[f"{name} gradient"] = outputs["d_loss_d_image"][0, 0]
    for name, values in found.items():
        print(f"{name}\n{values}\n")
    return found


if __name__ == "__main__":
    main()
