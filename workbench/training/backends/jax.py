"""JAX."""

import importlib.metadata
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from workbench.training.backends import (
    CALL_LENGTHS,
    CPU,
    BackendInfo,
    CompiledSteps,
    Device,
    ListedDevice,
)


def prepare(deterministic: bool) -> Device:
    """Return the default device; environment variables configure JAX (see `environment`)."""
    device = jax.devices()[0]
    return CPU.as_device() if device.platform == "cpu" else _listed(0, device).as_device()


def list_devices() -> list[ListedDevice]:
    """Return the CPU, then the GPUs."""
    gpus = [device for device in jax.devices() if device.platform == "gpu"]
    return [CPU, *(_listed(number, device) for number, device in enumerate(gpus))]


def describe() -> BackendInfo:
    """Return JAX's version, and that of CUDA from the plugin that is installed beside it."""
    for cuda in ("13", "12"):
        try:
            importlib.metadata.version(f"jax-cuda{cuda}-plugin")
        except importlib.metadata.PackageNotFoundError:
            continue
        return BackendInfo("jax", str(jax.__version__), cuda)
    return BackendInfo("jax", str(jax.__version__))


def place(array: Any) -> jax.Array:
    """Copy an array to the device."""
    return jnp.asarray(np.ascontiguousarray(array))


def compile_steps(network: Any, training: bool, jit: bool) -> CompiledSteps:
    """Compile a loop over steps; the variables' arrays go in and, updated, come out."""
    variables = [*network.trainable, *network.others, *network.optimizer.variables]
    # Updated in place: the arrays that go in are given up.
    loop = jax.jit(partial(_loop, network, training), donate_argnums=0 if training else ())

    def run(arrays: Any, steps: Any, count: int) -> tuple[jax.Array, jax.Array]:
        arrays = arrays._replace(x=_full(arrays.x, steps))
        values = [variable.value for variable in variables]
        values, losses, accuracies = loop(values, arrays, steps, count)
        if training:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        return losses, accuracies

    return run


def _full(x: Any, steps: Any) -> Any:
    """Fill up inputs that come in pieces: every other number of rows would be compiled again."""
    if isinstance(x, jax.Array):
        return x
    batch = steps.places.shape[1]
    length = next(length for length in CALL_LENGTHS if length * batch >= len(x))
    full = np.zeros((length * batch, *x.shape[1:]), x.dtype)
    full[: len(x)] = x
    return full


def _loop(
    network: Any, training: bool, values: list[jax.Array], arrays: Any, steps: Any, count: int
) -> tuple[list[jax.Array], jax.Array, jax.Array]:
    """Take `count` steps; return the variables' values, and losses and accuracies of the steps."""
    optimizer = network.optimizer
    variables = [*network.trainable, *network.others, *optimizer.variables]
    first, last = len(network.trainable), len(network.trainable) + len(network.others)
    rate_at = next(i for i, v in enumerate(optimizer.variables) if v is optimizer.learning_rate)

    def loss_of(trainable: list[Any], rest: list[Any], batch: Any) -> tuple[Any, Any]:
        mapping = zip(variables, [*trainable, *rest], strict=True)
        scaled, *results = network.forward(mapping, batch, training)
        return scaled, results

    def step(carried: tuple[Any, ...]) -> tuple[Any, ...]:
        at, finite, values, losses, accuracies = carried
        rows = steps.rows[at]
        # The barrier keeps the step the same program wherever its rows come from.
        x = jax.lax.optimization_barrier(arrays.x[steps.places[at]])
        batch = network.batch(
            x,
            arrays.y[rows],
            [weights[rows] for weights in arrays.weights],
            list(steps.seeds[at]),
            [changes[at] for changes in steps.changes],
        )
        trainable, rest = values[:first], values[first:]
        if training:
            state = values[last:]
            state[rate_at] = steps.rates[at]
            gradient = jax.value_and_grad(loss_of, has_aux=True)
            (_, (loss, accuracy, others)), gradients = gradient(trainable, rest, batch)
            trainable, state = optimizer.stateless_apply(state, gradients, trainable)
            finite = jnp.isfinite(loss)
            updated = [*trainable, *others, *state]
            values = [jnp.where(finite, *pair) for pair in zip(updated, values, strict=True)]
        else:
            _, (loss, accuracy, _) = loss_of(trainable, rest, batch)
        return at + 1, finite, values, losses.at[at].set(loss), accuracies.at[at].set(accuracy)

    empty = jnp.zeros(CALL_LENGTHS[-1], jnp.float32)
    _, _, values, losses, accuracies = jax.lax.while_loop(
        lambda carried: (carried[0] < count) & carried[1],
        step,
        (0, jnp.array(True), values, empty, empty),
    )
    return values, losses, accuracies


def value_and_gradient(function: Callable[[Any], Any], at: Any) -> tuple[Any, Any]:
    """Return a function's value and gradient at a tensor."""
    value, gradient = jax.value_and_grad(function)(at)
    return value, gradient


def _listed(number: int, device: Any) -> ListedDevice:
    major, _, minor = str(getattr(device, "compute_capability", "0.0")).partition(".")
    capability = int(major), int(minor or 0)
    return ListedDevice(f"gpu:{number}", "gpu", device.device_kind, capability)
