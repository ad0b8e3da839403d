"""A time-delay network (Waibel et al. 1989): one small network slides over windows of a sequence.

Each layer reads the last few values of the layer below, with the same weights at every time; a
window is a sum over shifted slices of the whole sequence, so no loop runs over time. The series is
Mackey and Glass's (1977), chaotic and without noise; the network says what comes six steps later,
beside the best linear prediction from the same past and the guess that nothing changes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

import graphc as gc

OUT = Path(__file__).parent.parent / "build" / "examples"
AHEAD, TRAINED = 6, 1500
DELAYS = (13, 7)  # how many values each layer reads
PAST = sum(DELAYS) - 1  # how far an output looks back, the present included


def mackey_glass(count: int, delay: int = 17, substeps: int = 10) -> np.ndarray:
    """Return x(t), t = 0, 1, …, of dx/dt = 0.2 x(t−τ)/(1 + x(t−τ)¹⁰) − 0.1 x, by Euler's rule."""
    past = delay * substeps
    x = np.full(past + (count + 200) * substeps, 1.2)
    for i in range(past, len(x) - 1):
        late = x[i - past]
        x[i + 1] = x[i] + (0.2 * late / (1 + late**10) - 0.1 * x[i]) / substeps
    return x[past::substeps][200 : 200 + count].astype(np.float32)


def windowed(h: gc.Node, delays: int, size: int, name: str) -> gc.Node:
    """Return Σ_d h[t + d] W_d + b at every time. **Shapes.** [T, in] -> [T - delays + 1, size]"""
    steps = h.shape[0] - delays + 1
    scale = gc.init.normal(1 / np.sqrt(delays * h.shape[1]))
    total = gc.param(f"{name}.b", (size,))
    for d in range(delays):
        W = gc.param(f"{name}.W{d}", (h.shape[1], size), init=scale)
        total = total + h[d : d + steps] @ W
    return total


def network() -> gc.Graph:
    """Return two windowed layers: from T values to the T - PAST + 1 values that come later."""
    T = gc.dim("T")
    x, later = gc.input("x", (T, 1)), gc.input("later", (T - PAST + 1,))
    h = gc.tanh(windowed(x, DELAYS[0], 16, "layer1"))
    h = gc.tanh(windowed(h, DELAYS[1], 16, "layer2"))
    predicted = gc.nn.dense(h, 1, name="out")[:, 0]
    loss = gc.mean((predicted - later) ** 2)
    return gc.graph({"loss": loss, "predicted": predicted}, name="time_delay")


def framed(series: np.ndarray) -> dict[str, np.ndarray]:
    """Return the sequence that is read, and the values six steps after each window's end."""
    return {"x": series[:-AHEAD, None], "later": series[PAST - 1 + AHEAD :]}


def main(folder: Path = OUT) -> dict[str, float]:
    """Return each prediction's error on the last 500 values, as a share of their spread."""
    folder.mkdir(parents=True, exist_ok=True)
    series = mackey_glass(TRAINED + 500)
    series = gc.train.data.standardizer(series[:TRAINED])(series)
    train, test = framed(series[:TRAINED]), framed(series[TRAINED - PAST - AHEAD + 1 :])

    steps = 3000
    step = gc.compile(
        network(), minimize="loss", optimizer=gc.optim.adam(gc.optim.cosine(0.01, steps))
    )
    state = step.init(seed=0)
    for _ in range(steps):
        step(state, **train)
    predicted = {"time-delay network": step.for_inference()(state, **test)["predicted"]}

    def rows(data: dict[str, np.ndarray]) -> np.ndarray:
        past = gc.train.data.ngram_windows(data["x"][:, 0], PAST)
        return np.column_stack([past, np.ones(len(past))])

    weights = np.linalg.lstsq(rows(train), train["later"], rcond=None)[0]
    predicted["linear prediction"] = rows(test) @ weights
    predicted["no change"] = test["x"][PAST - 1 :, 0]

    spread, errors = test["later"].std(), {}
    print(f"x(t + {AHEAD}) from the last {PAST} values, {len(test['later'])} values after training")
    for name, values in predicted.items():
        errors[name] = float(np.sqrt(np.mean((values - test["later"]) ** 2)) / spread)
        print(f"  {name:18} error {errors[name]:5.1%} of the spread")
    figure, (top, bottom) = plt.subplots(2, sharex=True, figsize=(8, 4), layout="constrained")
    top.plot(test["later"], color="0.3")
    for name, values in predicted.items():
        bottom.semilogy(np.abs(values - test["later"]), linewidth=1, label=name)
    top.set(ylabel="x, standardized")
    bottom.set(xlabel="time", ylabel="error", ylim=(1e-4, 5))
    figure.legend(frameon=False, ncols=3, loc="outside lower center")
    figure.savefig(folder / "time_delay.png", dpi=90)
    plt.close(figure)
    return errors


if __name__ == "__main__":
    main()
