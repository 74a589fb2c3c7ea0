"""TensorFlow."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

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
)


def prepare(deterministic: bool) -> Device:
    """Let GPU memory grow as needed, and switch determinism on if requested."""
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return first_gpu(list_devices())


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
    loops: dict[tuple[tf.DType, int], Any] = {}

    def run(
        arrays: Arrays, steps: Steps, count: int, predictions: Sequence[np.ndarray] = ()
    ) -> Sequence[tf.Tensor]:
        arrays = arrays._replace(x=tf.convert_to_tensor(arrays.x))
        kind = arrays.x.dtype, len(predictions)
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
        [tf.TensorSpec((None, None, one.shape[-1]), tf.float32) for one in predictions],
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
            tf.tensor_scatter_nd_update(one, [[at]], predicted[None]) for one in predictions
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


def value_and_gradient(function: Callable[[Any], Any], at: Any) -> tuple[Any, Any]:
    """Return a function's value and gradient at a tensor."""
    with tf.GradientTape() as tape:
        tape.watch(at)
        value = function(at)
    return value, tape.gradient(value, at)
