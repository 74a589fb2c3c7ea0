"""JAX."""

import importlib.metadata
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from workbench.machine.device_group import logical_devices
from workbench.training.backends import (
    CALL_LENGTHS,
    CPU,
    Arrays,
    BackendInfo,
    Batch,
    CompiledSteps,
    Device,
    ListedDevice,
    Steps,
    require_devices,
    split_steps,
)

_mesh: Mesh | None = None  # of the devices that share a batch; None for one device


def prepare(deterministic: bool, devices: int = 1) -> Device:
    """Return the default device; environment variables configure JAX (see `environment`)."""
    global _mesh
    if devices > 1 and (parts := logical_devices(os.environ)):
        jax.config.update("jax_num_cpu_devices", parts)
    found = jax.devices()
    device = CPU.as_device() if found[0].platform == "cpu" else _listed(0, found[0]).as_device()
    _mesh = None
    if devices > 1:
        require_devices(devices, len(found), device.kind)
        _mesh = Mesh(np.array(found[:devices]), ("batch",))
    return replace(device, count=devices)


def scope() -> AbstractContextManager[Any]:
    """Return a context without effect: a step's results have a copy on each device."""
    return nullcontext()


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
    """Compile steps; the variables' arrays go in and, updated, come out."""
    variables = [*network.trainable, *network.others, *network.optimizer.variables]
    mesh = _mesh if training else None
    step = partial(_step, network, training) if mesh is None else _shared_step(network, mesh)
    everywhere = mesh and _Everywhere(mesh)
    start = jnp.array(True)
    if _mesh:  # where the results of a step are: every other place would be compiled again
        start = everywhere.put(start) if everywhere else jax.device_put(start, jax.devices()[0])
    if not jit:
        take = _step_by_step(step, start)
    elif jax.default_backend() == "cpu":
        take = _step_by_step(jax.jit(step, donate_argnums=0), start)
    else:
        take = _in_one_loop(step)

    def run(
        arrays: Arrays, steps: Steps, count: int, predictions: Sequence[np.ndarray] = ()
    ) -> Sequence[jax.Array]:
        arrays = arrays._replace(x=_full(arrays.x, steps))
        # They are given up, so that they can be updated in place.
        values = [variable.value for variable in variables]
        if everywhere:
            arrays, values = everywhere.copy(arrays), everywhere.put(values)
            steps = _flat_parts(split_steps(steps, everywhere.devices))
        values, *found = take(values, arrays, steps, count, list(predictions))
        if everywhere:
            values, found = everywhere.first(values), everywhere.first(found)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return found

    return run


def _full(x: Any, steps: Steps) -> jax.Array:
    """Fill up inputs that come in pieces: every other number of rows would be compiled again."""
    if isinstance(x, jax.Array):
        return x
    batch = steps.places.shape[1]
    length = next(length for length in CALL_LENGTHS if length * batch >= len(x))
    full = np.zeros((length * batch, *x.shape[1:]), x.dtype)
    full[: len(x)] = x
    return jnp.asarray(full)


def _in_one_loop(step: Any) -> Any:
    """Return a compiled loop over steps."""

    @partial(jax.jit, donate_argnums=0)
    def take(
        values: list[jax.Array], arrays: Arrays, steps: Steps, count: int, predictions: list[Any]
    ) -> Any:
        def body(carried: tuple[Any, ...]) -> tuple[Any, ...]:
            at, values, finite, *series = carried
            part = jax.tree.map(lambda array: array[at], steps)
            values, finite, *found = step(values, finite, arrays, part)
            series = [
                one.at[at].set(new)
                for one, new in zip(series, _asked(found, predictions), strict=True)
            ]
            return at + 1, values, finite, *series

        def more(carried: tuple[Any, ...]) -> Any:
            return (carried[0] < count) & carried[2]

        empty = jnp.zeros(CALL_LENGTHS[-1], jnp.float32)
        first = 0, values, jnp.array(True), empty, empty, *predictions
        found = jax.lax.while_loop(more, body, first)
        return found[1], *found[3:]

    return take


def _step_by_step(step: Any, start: jax.Array) -> Any:
    """Return a loop of single steps: not compiled, or on a CPU.

    There, XLA runs convolutions within a compiled loop twenty times as slowly as outside of one.
    `start` is True.
    """

    def take(
        values: list[jax.Array], arrays: Arrays, steps: Steps, count: int, predictions: list[Any]
    ) -> Any:
        finite, series = start, []
        for at in range(count):
            part = jax.tree.map(lambda array: array[at], steps)  # noqa: B023 - called at once
            values, finite, *found = step(values, finite, arrays, part)
            series.append(_asked(found, predictions))
        return values, *(np.array(one, np.float32) for one in zip(*series, strict=True))

    return take


def _asked(found: Sequence[Any], predictions: Sequence[Any]) -> list[Any]:
    """Return what a call is to return of a step: loss, accuracy, and predictions if needed."""
    return [*found[:2], *(found[3 if one.ndim == 2 else 2] for one in predictions)]


def _step(
    network: Any, training: bool, values: list[jax.Array], finite: Any, arrays: Arrays, part: Any
) -> tuple[Any, ...]:
    """Take a step, unless an earlier one had a loss that is not finite.

    Args:
        network: a `StepNetwork`.
        training: False evaluates only.
        values: of the trainable variables, the others and the optimizer's.
        finite: whether all losses so far were finite.
        arrays: see `training.fused_steps`.
        part: what the `Steps` have for this step.

    Returns:
        The new values, whether this loss was finite too, loss, accuracy; of an evaluation the
        predictions and their labels as well.
    """
    optimizer = network.optimizer
    variables = [*network.trainable, *network.others, *optimizer.variables]
    first, last = len(network.trainable), len(network.trainable) + len(network.others)
    # The barrier keeps a step the same program wherever its rows come from.
    batch = Batch(
        jax.lax.optimization_barrier(arrays.x[part.places]),
        arrays.y[part.rows],
        [weights[part.rows] for weights in arrays.weights],
        list(part.seeds),
        part.changes,
        part.mixes,
        part.shares,
    )

    def loss_of(trainable: list[Any]) -> tuple[Any, Any]:
        mapping = zip(variables, [*trainable, *values[first:]], strict=True)
        scaled, *results = network.forward(mapping, batch, training)
        return scaled, results

    if not training:
        value_of = dict(zip(map(id, variables), values, strict=True))
        averages = [value_of[id(variable)] for variable in network.averages]
        _, (loss, accuracy, predicted, _) = loss_of(averages or values[:first])
        return values, finite, loss, accuracy, predicted, network.labels(predicted)
    gradients, (loss, accuracy, _, others) = jax.grad(loss_of, has_aux=True)(values[:first])
    state = [
        part.rates if variable is optimizer.learning_rate else value
        for variable, value in zip(optimizer.variables, values[last:], strict=True)
    ]
    trainable, state = optimizer.stateless_apply(state, gradients, values[:first])
    finite = finite & jnp.isfinite(loss)
    updated = [*trainable, *others, *state]
    values = [jnp.where(finite, *pair) for pair in zip(updated, values, strict=True)]
    return values, finite, loss, accuracy


def _shared_step(network: Any, mesh: Mesh) -> Any:
    """Return `_step` for training with the images of a batch shared among the devices.

    XLA adds up what they contribute. Dropout draws one mask for the whole batch, so each device has
    its own part of it.
    """
    of_images = NamedSharding(mesh, PartitionSpec("batch"))
    everywhere = NamedSharding(mesh, PartitionSpec())

    def step(values: list[jax.Array], finite: Any, arrays: Arrays, part: Steps) -> tuple[Any, ...]:
        shared = {name: getattr(part, name) for name in ("places", "rows", "changes", "shares")}
        part = part._replace(**jax.lax.with_sharding_constraint(shared, of_images))
        found = _step(network, True, values, finite, arrays, part)
        return tuple(jax.lax.with_sharding_constraint(found, everywhere))

    return step


class _Everywhere:
    """Copies arrays to all devices of a mesh, those that stay the same only once."""

    def __init__(self, mesh: Mesh) -> None:
        self.devices = mesh.size
        self._sharding = NamedSharding(mesh, PartitionSpec())
        self._copies: list[tuple[Any, Any]] = []  # of each array the copy, from the last call

    def put(self, values: Any) -> Any:
        """Return copies."""
        return jax.device_put(values, self._sharding)

    def copy(self, arrays: Arrays) -> Arrays:
        """Return copies; of arrays that the last call had, the same ones."""
        found, structure = jax.tree.flatten(arrays)
        known = {id(array): copy for array, copy in self._copies}
        self._copies = [(array, known.get(id(array))) for array in found]
        self._copies = [
            (array, self.put(array) if copy is None else copy) for array, copy in self._copies
        ]
        return jax.tree.unflatten(structure, [copy for _, copy in self._copies])

    def first(self, values: Sequence[Any]) -> list[Any]:
        """Return what the first device has: the rest of the process uses this one alone."""
        return [
            value.addressable_data(0) if isinstance(value, jax.Array) else value for value in values
        ]


def _flat_parts(steps: Steps) -> Steps:
    """Return the parts of each batch as one batch again, filled up to equal parts."""

    def flat(array: np.ndarray) -> np.ndarray:
        return array.reshape(len(array), -1, *array.shape[3:])

    devices = steps.places.shape[1]  # the mean of the whole is that of the parts' means
    steps = steps._replace(shares=[shares * np.float32(devices) for shares in steps.shares])
    names = ("places", "rows", "changes", "shares")
    return steps._replace(**{name: jax.tree.map(flat, getattr(steps, name)) for name in names})


def value_and_gradient(function: Callable[[Any], Any], at: Any) -> tuple[Any, Any]:
    """Return a function's value and gradient at a tensor."""
    value, gradient = jax.value_and_grad(function)(at)
    return value, gradient


def _listed(number: int, device: Any) -> ListedDevice:
    major, _, minor = str(getattr(device, "compute_capability", "0.0")).partition(".")
    capability = int(major), int(minor or 0)
    return ListedDevice(f"gpu:{number}", "gpu", device.device_kind, capability)
