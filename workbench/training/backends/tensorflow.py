"""TensorFlow."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

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
    first_gpu,
    require_devices,
    split_steps,
)

# Of the devices that share a batch; None for one device. Two over different devices abort a
# process, so `prepare` makes the only one.
_strategy: tf.distribute.Strategy | None = None


def prepare(deterministic: bool, devices: int = 1) -> Device:
    """Let GPU memory grow as needed, and switch determinism on if requested."""
    global _strategy
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    _strategy = _mirror(devices) if devices > 1 else None
    return replace(first_gpu(list_devices()), count=devices)


def _mirror(devices: int) -> tf.distribute.Strategy:
    """Return a strategy over the first devices; without a GPU, over parts of the CPU."""
    kind, there = "gpu", len(tf.config.list_physical_devices("GPU"))
    if not there:
        kind, there = "cpu", logical_devices(os.environ)
    require_devices(devices, there, kind)
    if kind == "cpu":
        cpu = tf.config.list_physical_devices("CPU")[0]
        parts = [tf.config.LogicalDeviceConfiguration()] * there
        tf.config.set_logical_device_configuration(cpu, parts)
    return tf.distribute.MirroredStrategy([f"{kind}:{number}" for number in range(devices)])


def scope() -> AbstractContextManager[Any]:
    """Return a context whose variables have a copy on each device that shares a batch."""
    return _strategy.scope() if _strategy else nullcontext()


def list_devices() -> list[ListedDevice]:
    """Return the CPU, then the GPUs."""
    found = [CPU]
    for number, gpu in enumerate(tf.config.list_physical_devices("GPU")):
        details: dict[str, Any] = tf.config.experimental.get_device_details(gpu)
        name = details.get("device_name", "GPU")
        found.append(ListedDevice(f"gpu:{number}", "gpu", name, details.get("compute_capability")))
    return found


def describe() -> BackendInfo:
    """Return TensorFlow's version and those of CUDA and cuDNN that it was built for."""
    build = tf.sysconfig.get_build_info()
    cuda, cudnn = str(build.get("cuda_version", "")), str(build.get("cudnn_version", ""))
    return BackendInfo("tensorflow", str(tf.__version__), cuda, cudnn)


def place(array: Any) -> tf.Tensor:
    """Copy an array to the device."""
    return tf.convert_to_tensor(np.ascontiguousarray(array))


def compile_steps(network: Any, training: bool, jit: bool) -> CompiledSteps:
    """Compile a loop over steps; it updates the variables in place."""
    loops: dict[tuple[Any, ...], Any] = {}
    if training and _strategy:
        return _compile_mirrored(network, _strategy, jit)

    def run(
        arrays: Arrays, steps: Steps, count: int, predictions: Sequence[np.ndarray] = ()
    ) -> Sequence[tf.Tensor]:
        arrays = arrays._replace(x=tf.convert_to_tensor(arrays.x))
        kind = arrays.x.dtype, *(one.ndim for one in predictions)
        if kind not in loops:
            loops[kind] = tf.function(
                partial(_loop, network, training),
                input_signature=_signature(arrays, steps, predictions),
                autograph=False,
                jit_compile=jit,
            )
        found: Sequence[tf.Tensor] = loops[kind](arrays, steps, count, list(predictions))
        return found

    return run


def _signature(
    arrays: Arrays, steps: Steps, predictions: Sequence[np.ndarray]
) -> tuple[Any, Any, tf.TensorSpec, list[tf.TensorSpec]]:
    """Return types for any number of rows and any size of a batch, so that one trace is enough."""

    def rows(array: tf.Tensor) -> tf.TensorSpec:
        return tf.TensorSpec((None, *array.shape[1:]), array.dtype)

    of_steps = tf.nest.map_structure(lambda array: tf.TensorSpec(array.shape, array.dtype), steps)
    batch = tf.TensorSpec((CALL_LENGTHS[-1], None), tf.int32)
    changes = [tf.TensorSpec((*batch.shape, c.shape[-1]), tf.float32) for c in steps.changes]
    return (
        tf.nest.map_structure(rows, arrays),
        of_steps._replace(places=batch, rows=batch, changes=changes),
        tf.TensorSpec((), tf.int32),
        [tf.TensorSpec((None, None, *one.shape[2:]), tf.float32) for one in predictions],
    )


def _loop(
    network: Any,
    training: bool,
    arrays: Arrays,
    steps: Steps,
    count: tf.Tensor,
    predictions: list[tf.Tensor],
) -> tuple[tf.Tensor, ...]:
    """Take `count` steps; return their losses and accuracies, and predictions if needed."""
    update = _select if tf.config.list_physical_devices("GPU") else _branch

    def step(
        at: tf.Tensor, finite: tf.Tensor, losses: Any, accuracies: Any, *predictions: tf.Tensor
    ) -> tuple[Any, ...]:
        rows = steps.rows[at]
        batch = Batch(
            tf.gather(arrays.x, steps.places[at]),
            tf.gather(arrays.y, rows),
            [tf.gather(weights, rows) for weights in arrays.weights],
            tf.unstack(steps.seeds[at], num=len(network.seeds)),
            [changes[at] for changes in steps.changes],
            [mixes[at] for mixes in steps.mixes],
        )
        averages = () if training else zip(network.trainable, network.averages, strict=False)
        with tf.GradientTape() as tape:
            scaled, loss, accuracy, predicted, others = network.forward(averages, batch, training)
        if training:
            network.optimizer.learning_rate.assign(steps.rates[at])
            gradients = tape.gradient(scaled, network.trainable)
            finite = tf.math.is_finite(loss)
            update(network, gradients, others, finite)
        predictions = tuple(
            tf.tensor_scatter_nd_update(one, [[at]], network.as_asked(predicted, one)[None])
            for one in predictions
        )
        return at + 1, finite, losses.write(at, loss), accuracies.write(at, accuracy), *predictions

    def more(at: tf.Tensor, finite: tf.Tensor, *_: Any) -> tf.Tensor:
        return tf.logical_and(at < count, finite)

    results = [tf.TensorArray(tf.float32, CALL_LENGTHS[-1], element_shape=()) for _ in range(2)]
    _, _, losses, accuracies, *predictions = tf.while_loop(
        more, step, (0, True, *results, *predictions), parallel_iterations=1
    )
    return losses.stack(), accuracies.stack(), *predictions


def _branch(network: Any, gradients: list[Any], others: list[Any], finite: tf.Tensor) -> None:
    """Update the variables in place if the loss is finite."""

    def update() -> tf.Tensor:
        network.optimizer.apply(gradients, network.trainable)
        for variable, value in zip(network.others, others, strict=True):
            if value is not None:
                variable.assign(value)
        return finite

    tf.cond(finite, update, lambda: finite)


def _select(network: Any, gradients: list[Any], others: list[Any], finite: tf.Tensor) -> None:
    """Do the same on a GPU, where a branch would wait in every step until the loss is known."""
    variables = [*network.trainable, *network.optimizer.variables]
    before = [tf.identity(variable.value) for variable in variables]
    network.optimizer.apply(gradients, network.trainable)
    for variable, old in zip(variables, before, strict=True):
        variable.assign(tf.where(finite, variable.value, old))
    for variable, value in zip(network.others, others, strict=True):
        if value is not None:
            variable.assign(tf.where(finite, value, variable.value))


def _compile_mirrored(network: Any, strategy: tf.distribute.Strategy, jit: bool) -> CompiledSteps:
    """Compile a loop over training steps whose batches are shared among the devices.

    XLA compiles the forward and backward pass of each device alone: around several devices it
    fails.
    """
    devices = strategy.num_replicas_in_sync
    optimizer = getattr(network.optimizer, "inner_optimizer", network.optimizer)
    # The step adds the gradients up before the optimizer sees them, so that clipping and the search
    # for overflows are those of the whole batch. Keras would add them up once more.
    optimizer._all_reduce_sum_gradients = list
    gradients_of = partial(_gradients, network)
    if jit:
        gradients_of = tf.function(gradients_of, autograph=False, jit_compile=True)
    loops: dict[tf.DType, Any] = {}

    def run(
        arrays: Arrays, steps: Steps, count: int, predictions: Sequence[np.ndarray] = ()
    ) -> Sequence[tf.Tensor]:
        arrays = arrays._replace(x=tf.convert_to_tensor(arrays.x))
        steps = split_steps(steps, devices, overlap=bool(steps.mixes))
        steps = steps._replace(seeds=_seeds_of_each(steps.seeds, devices))
        if arrays.x.dtype not in loops:
            loops[arrays.x.dtype] = tf.function(
                partial(_mirrored_loop, network, strategy, gradients_of),
                input_signature=_mirrored_signature(arrays, steps),
                autograph=False,
            )
        found: Sequence[tf.Tensor] = loops[arrays.x.dtype](arrays, steps, count)
        return found

    return run


def _seeds_of_each(seeds: np.ndarray, devices: int) -> np.ndarray:
    """Fold the device's number into seeds (n, dropouts, 2): (n, devices, dropouts, 2).

    The first device keeps its own; XOR with an odd multiple lets no two be the same.
    """
    numbers = np.arange(devices, dtype=np.int64)[:, None] * 0x9E3779B1 & 0x7FFFFFFF
    both = np.stack([np.zeros_like(numbers), numbers], axis=-1)  # in the second half
    return (seeds[:, None] ^ both).astype(np.int32)


def _mirrored_signature(arrays: Arrays, steps: Steps) -> tuple[Any, Any, tf.TensorSpec]:
    """Return types for any number of rows and any size of a part."""

    def rows(array: tf.Tensor) -> tf.TensorSpec:
        return tf.TensorSpec((None, *array.shape[1:]), array.dtype)

    def parts(array: np.ndarray) -> tf.TensorSpec:
        return tf.TensorSpec((*array.shape[:2], None, *array.shape[3:]), array.dtype)

    of_steps = tf.nest.map_structure(lambda array: tf.TensorSpec(array.shape, array.dtype), steps)
    in_parts = {
        name: tf.nest.map_structure(parts, getattr(steps, name))
        for name in ("places", "rows", "changes", "shares")
    }
    return (
        tf.nest.map_structure(rows, arrays),
        of_steps._replace(**in_parts),
        tf.TensorSpec((), tf.int32),
    )


def _gradients(network: Any, batch: Batch) -> list[tf.Tensor]:
    """Return mean loss and accuracy of a part of a batch, and the gradients, before they add up."""
    with tf.GradientTape() as tape:
        scaled, loss, accuracy, _, _ = network.forward((), batch, True)
    return [loss, accuracy, *tape.gradient(scaled, network.trainable)]


def _mirrored_loop(
    network: Any,
    strategy: tf.distribute.Strategy,
    gradients_of: Callable[[Batch], list[tf.Tensor]],
    arrays: Arrays,
    steps: Steps,
    count: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    """Take `count` steps on all devices; return their losses and accuracies."""

    def update(batch: Batch) -> tuple[tf.Tensor, ...]:
        everywhere = tf.distribute.get_replica_context()
        found = everywhere.all_reduce(tf.distribute.ReduceOp.SUM, gradients_of(batch))
        loss, accuracy, *gradients = found
        finite = tf.math.is_finite(loss)
        _select(network, gradients, [None] * len(network.others), finite)
        return finite, loss, accuracy

    def step(at: tf.Tensor, finite: tf.Tensor, losses: Any, accuracies: Any) -> tuple[Any, ...]:
        def part(context: tf.distribute.experimental.ValueContext) -> Batch:
            number = context.replica_id_in_sync_group
            rows = steps.rows[at, number]
            return Batch(
                tf.gather(arrays.x, steps.places[at, number]),
                tf.gather(arrays.y, rows),
                [tf.gather(weights, rows) for weights in arrays.weights],
                tf.unstack(steps.seeds[at, number], num=len(network.seeds)),
                [changes[at, number] for changes in steps.changes],
                [mixes[at] for mixes in steps.mixes],
                [shares[at, number] for shares in steps.shares],
            )

        network.optimizer.learning_rate.assign(steps.rates[at])
        batch = strategy.experimental_distribute_values_from_function(part)
        of_each = strategy.run(update, args=(batch,))
        finite, loss, accuracy = (strategy.experimental_local_results(one)[0] for one in of_each)
        return at + 1, finite, losses.write(at, loss), accuracies.write(at, accuracy)

    def more(at: tf.Tensor, finite: tf.Tensor, *_: Any) -> tf.Tensor:
        return tf.logical_and(at < count, finite)

    results = [tf.TensorArray(tf.float32, CALL_LENGTHS[-1], element_shape=()) for _ in range(2)]
    with strategy.scope():
        _, _, losses, accuracies = tf.while_loop(
            more, step, (0, True, *results), parallel_iterations=1
        )
    return losses.stack(), accuracies.stack()


def value_and_gradient(function: Callable[[Any], Any], at: Any) -> tuple[Any, Any]:
    """Return a function's value and gradient at a tensor."""
    with tf.GradientTape() as tape:
        tape.watch(at)
        value = function(at)
    return value, tape.gradient(value, at)
