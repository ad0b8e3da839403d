"""The contestants: each turns a workload into a function that does the work once.

A contestant returns `run` and `outcome`: `run()` is what is timed, `outcome(run())` gives the
results as NumPy arrays by name, to be compared before anything is timed. Data and parameters are in
the contestant's own arrays beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from workload import Arrays, Workload

import graphc as gc
from graphc.run.compiled import CompiledFunction

Run = Callable[[], Any]
Outcome = Callable[[Any], Mapping[str, Any]]
Contestant = tuple[Run, Outcome]


class AbsenceError(Exception):
    """A contestant that cannot do this work here, and why; without a reason, it is not asked."""


def copies(arrays: Arrays) -> Arrays:
    return {name: array.copy() for name, array in arrays.items()}


def compiled_of(work: Workload) -> CompiledFunction:
    """Return the training step of a workload, or its value and gradient."""
    if work.rate is not None:
        return gc.compile(work.graph, minimize="loss", optimizer=gc.optim.sgd(work.rate))
    return gc.compile(work.graph, gradient_of="loss", wrt=list(work.params))


def graphc(work: Workload) -> Contestant:
    """Return the compiled call: a training step, or value and gradient."""
    function = compiled_of(work)
    if work.rate is not None:
        state = copies(work.params)
        return lambda: function(state, **work.data), lambda r: {**state, "loss": r["loss"]}
    state = {name: work.params[name].copy() for name in work.graph.params}
    given = [state] if state else []
    inputs = {**work.data, **{n: work.params[n] for n in work.params if n in work.graph.inputs}}
    names = {f"d_loss_d_{name}": name for name in work.params}

    def outcome(result: Mapping[str, Any]) -> Mapping[str, Any]:
        return {names.get(name, name): value for name, value in result.items()}

    return lambda: function(*given, **inputs), outcome


def by_hand(work: Workload) -> Contestant:
    return work.by_hand(copies(work.params), work.data), dict


def naive(work: Workload) -> Contestant:
    if work.naive is None:
        raise AbsenceError
    return work.naive(copies(work.params), work.data), dict


def torch_eager(work: Workload) -> Contestant:
    import torch

    loss = work.loss_of("torch")
    if loss is None:
        raise AbsenceError("no PyTorch form")
    params = {
        name: torch.from_numpy(array.copy()).requires_grad_() for name, array in work.params.items()
    }
    data = {name: torch.from_numpy(array) for name, array in work.data.items()}

    def run() -> Any:
        for param in params.values():
            param.grad = None
        value = loss(torch, params, data)
        value.backward()
        if work.rate is not None:
            with torch.no_grad():
                for param in params.values():
                    param.sub_(param.grad, alpha=work.rate)
        return value

    def outcome(value: Any) -> Mapping[str, Any]:
        arrays = {n: p.detach() if work.rate is not None else p.grad for n, p in params.items()}
        return {**{n: a.numpy() for n, a in arrays.items()}, "loss": value.item()}

    return run, outcome


def torch_compiled(work: Workload) -> Contestant:
    import torch

    loss = work.loss_of("torch")
    if loss is None:
        raise AbsenceError("no PyTorch form")
    params = {
        name: torch.from_numpy(array.copy()).requires_grad_() for name, array in work.params.items()
    }
    data = {name: torch.from_numpy(array) for name, array in work.data.items()}
    torch.compiler.reset()  # or it gives up after the eighth workload
    fast_loss = torch.compile(lambda params: loss(torch, params, data))

    @torch.compile
    def update() -> None:
        with torch.no_grad():
            for param in params.values():
                param.sub_(param.grad, alpha=work.rate)

    def run() -> Any:
        for param in params.values():
            param.grad = None
        value = fast_loss(params)
        value.backward()
        if work.rate is not None:
            update()
        return value

    def outcome(value: Any) -> Mapping[str, Any]:
        arrays = {n: p.detach() if work.rate is not None else p.grad for n, p in params.items()}
        return {**{n: a.numpy() for n, a in arrays.items()}, "loss": value.item()}

    return run, outcome


def jax_jit(work: Workload) -> Contestant:
    import jax

    loss = work.loss_of("jax")
    if loss is None:
        raise AbsenceError("no JAX form")
    params = {name: jax.numpy.asarray(array) for name, array in work.params.items()}
    data = {name: jax.numpy.asarray(array) for name, array in work.data.items()}
    both = jax.value_and_grad(lambda params, data: loss(jax.numpy, params, data))
    if work.rate is None:
        function = jax.jit(both)
        return (
            lambda: jax.block_until_ready(function(params, data)),
            lambda result: {**result[1], "loss": result[0]},
        )

    def step(params: Any, data: Any) -> Any:
        value, gradients = both(params, data)
        return {n: p - work.rate * gradients[n] for n, p in params.items()}, value

    step = jax.jit(step, donate_argnums=0)
    state = {"params": params}

    def run() -> Any:
        state["params"], value = jax.block_until_ready(step(state["params"], data))
        return value

    return run, lambda value: {**state["params"], "loss": value}


def autograd(work: Workload) -> Contestant:
    from autograd import numpy as anp
    from autograd import value_and_grad

    loss = work.loss_of("autograd")
    if loss is None:
        raise AbsenceError("no autograd form")
    params = copies(work.params)
    both = value_and_grad(lambda params: loss(anp, params, work.data))

    def run() -> Any:
        value, gradients = both(params)
        if work.rate is not None:
            for name, param in params.items():
                param -= work.rate * gradients[name]
        return value, gradients

    def outcome(result: Any) -> Mapping[str, Any]:
        return {**(result[1] if work.rate is None else params), "loss": result[0]}

    return run, outcome


def pytensor(work: Workload) -> Contestant:
    import pytensor
    from pytensor import tensor as pt

    loss = work.loss_of("pytensor")
    if loss is None:
        raise AbsenceError("no PyTensor form")
    pytensor.config.floatX = "float32"
    params = {n: pytensor.shared(a.copy(), name=n) for n, a in work.params.items()}
    data = {n: pt.as_tensor_variable(a).type(n) for n, a in work.data.items()}
    value = loss(pt, params, data)
    gradients = pytensor.grad(value, list(params.values()))
    inputs = [pytensor.In(data[n], borrow=True) for n in data]
    arrays = list(work.data.values())
    mode = pytensor.compile.mode.get_mode("CVM")
    if work.rate is None:
        function = pytensor.function(inputs, [value, *gradients], mode=mode)
        return lambda: function(*arrays), lambda r: {
            **dict(zip(params, r[1:], strict=True)),
            "loss": r[0],
        }
    rate = np.float32(work.rate)
    updates = [(p, p - rate * g) for p, g in zip(params.values(), gradients, strict=True)]
    function = pytensor.function(inputs, value, updates=updates, mode=mode)

    def outcome(result: Any) -> Mapping[str, Any]:
        return {**{n: p.get_value() for n, p in params.items()}, "loss": result}

    return lambda: function(*arrays), outcome


#: Column title -> contestant; graphc is what the others are measured against.
CONTESTANTS: dict[str, Callable[[Workload], Contestant]] = {
    "graphc": graphc,
    "NumPy by hand": by_hand,
    "naive NumPy": naive,
    "PyTorch": torch_eager,
    "torch.compile": torch_compiled,
    "jax.jit": jax_jit,
    "PyTensor": pytensor,
    "autograd": autograd,
}
