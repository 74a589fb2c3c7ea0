"""How fast a device is: small networks, timed step by step, as training would run them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import keras
import numpy as np
from keras import layers

from workbench.experiment.throughput import PREFIX_BATCH_SINGLE, ThroughputModel
from workbench.machine.processor import busy_share
from workbench.training.backend import active_backend, resolve_jit, resolve_precision
from workbench.training.backends import Device
from workbench.training.fused_steps import FusedSteps
from workbench.training.pieces import Piece
from workbench.training.prefix import places_matter

SECONDS = 0.12  # of steps for each measurement
BUSY_SECONDS = 0.2  # to measure how busy other programs keep the CPU
MIN_STEPS, MAX_STEPS = 3, 60
FUSED_STEPS = 64  # of a call, where many are in one
CPU_BATCH, GPU_BATCH = 8, 128  # images a step; a GPU needs more of them to be busy
SIDE, CHANNELS = 28, 256  # VGG16's third block at 112 x 112
THIN_SIDE, THIN_FILTERS = 150, 32  # the first block of the book's convnet
UNITS = 1024
FLOAT = 4  # bytes


@dataclass(frozen=True)
class DeviceBenchmark:
    """The throughput of a device and how it was measured.

    Attributes:
        busy: share of the CPU that other programs used just before, from 0 to 1.
    """

    speed: ThroughputModel
    precision: str
    jit: bool
    busy: float


def measure_device(device: Device) -> DeviceBenchmark:
    """Measure the device chosen with `keras.device`, with the default settings of training.

    Afterwards Keras's state of names and seeds is cleared.
    """
    precision, jit = resolve_precision("auto", device), resolve_jit("auto", device, False)
    busy = busy_share(BUSY_SECONDS)
    with dtype_policy(precision):
        speed = measure(jit, GPU_BATCH if device.kind == "gpu" else CPU_BATCH)
        if device.kind == "cpu" and places_matter(_small_base()):
            speed = speed.model_copy(update={"prefix_batch": PREFIX_BATCH_SINGLE})
    return DeviceBenchmark(speed, precision, jit, busy)


@contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Use a dtype policy within the block; clear Keras's state of names and seeds after it."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
        keras.backend.clear_session()


def measure(jit: bool, batch_size: int = CPU_BATCH) -> ThroughputModel:
    """Measure the device chosen with `keras.device`, with the current dtype policy.

    It takes a few seconds, most of them for compiling.

    Args:
        jit: whether XLA compiles.
        batch_size: images a step.
    """
    # TINY_LAYERS of them, with the output.
    tiny = _Timed((64,), [layers.Dropout(0.5, seed=0), layers.Dense(16)], batch_size, jit)
    step, training_step = tiny.forward(), tiny.training()
    forward_fused, training_fused = tiny.fused()
    wide = _Timed((UNITS,), [layers.Dense(UNITS), layers.Dense(UNITS)], batch_size, jit)
    update = max(wide.training() - training_step, 0.0) / (2 * UNITS * (UNITS + 1))

    half = CHANNELS // 2
    deep = _Timed((SIDE, SIDE, half), [convolution(CHANNELS) for _ in range(2)], batch_size, jit)
    first, second = (SIDE**2 * CHANNELS * 9 * inputs * batch_size for inputs in (half, CHANNELS))
    parameters = CHANNELS * (9 * half + 9 * CHANNELS + 2)
    forward_flops = _rate(2 * (first + second), deep.forward() - step)
    training_flops = _rate(
        2 * (2 * first + 3 * second),  # the first layer's input needs no gradient
        deep.training() - training_step - parameters * update,
    )

    layers_of_thin = [convolution(THIN_FILTERS), layers.MaxPooling2D(2)]
    thin = _Timed((THIN_SIDE, THIN_SIDE, 3), layers_of_thin, batch_size, jit)
    operations = 2 * THIN_SIDE**2 * THIN_FILTERS * 9 * 3 * batch_size
    written = FLOAT * THIN_FILTERS * (THIN_SIDE**2 + (THIN_SIDE // 2) ** 2) * batch_size
    return ThroughputModel(
        forward_flops=forward_flops,
        training_flops=training_flops,
        forward_bytes=_rate(written, thin.forward() - step - operations / forward_flops),
        training_bytes=_rate(
            written, thin.training() - training_step - 2 * operations / training_flops
        ),
        forward_step=step,
        training_step=training_step,
        update=update,
        forward_fused=forward_fused,
        training_fused=training_fused,
    )


def _small_base() -> keras.Model:
    """Return a network of the kinds of layers in pretrained bases, for `places_matter`."""
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D(16, 3, strides=2)(image)
    x = layers.DepthwiseConv2D(3)(x)
    return keras.Model(image, layers.Conv2D(48, 1)(x))


def convolution(filters: int) -> keras.Layer:
    """Return a layer as the blocks of VGG16 have it."""
    return layers.Conv2D(filters, 3, padding="same", activation="relu")


def make_network(shape: tuple[int, ...], body: Sequence[keras.Layer], jit: bool) -> keras.Model:
    """Return a compiled binary classifier with these layers below its head."""
    x = inputs = keras.Input(shape)
    for layer in body:
        x = layer(x)
    if len(shape) == 3:
        x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(1, activation="sigmoid", dtype="float32")(x)
    network = keras.Model(inputs, x)
    # As in training: a metric is read after every step.
    network.compile("adam", "binary_crossentropy", metrics=["accuracy"], jit_compile=jit)
    return network


def make_batch(shape: tuple[int, ...], batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets, always the same ones."""
    rng = np.random.default_rng(1)
    images = rng.random((batch_size, *shape), dtype=np.float32)
    return images, rng.integers(0, 2, (batch_size, 1)).astype(np.float32)


class _Timed:
    """A network with timed steps."""

    def __init__(
        self, shape: tuple[int, ...], body: Sequence[keras.Layer], batch_size: int, jit: bool
    ) -> None:
        self.jit = jit
        self.network = make_network(shape, body, jit)
        self.images, self.targets = make_batch(shape, batch_size)

    def fused(self) -> tuple[float, float]:
        """Return the seconds of a step in a call of many: evaluating, and training."""
        self.network.optimizer.build(self.network.trainable_variables)
        steps = FusedSteps(self.network, 2, self.targets, jit=self.jit)
        rows = np.tile(np.arange(len(self.images)), (FUSED_STEPS, 1))
        piece = Piece(active_backend().place(self.images), rows, rows)
        rates = np.full(FUSED_STEPS, 1e-3)
        seeds = np.ones((FUSED_STEPS, len(steps.network.dropouts), 2), np.int32)
        evaluating = step_seconds(lambda: list(steps.evaluate(piece)))
        training = step_seconds(lambda: list(steps.train(piece, rates, seeds)))
        return evaluating / FUSED_STEPS, training / FUSED_STEPS

    def forward(self) -> float:
        """Return the seconds of a step without training."""
        return step_seconds(
            lambda: self.network.test_on_batch(self.images, self.targets, return_dict=True)
        )

    def training(self) -> float:
        """Return the seconds of a training step that sets learning rate and dropout seeds."""

        def step() -> None:
            self.network.optimizer.learning_rate.assign(1e-3)
            for layer in self.network.layers:
                if getattr(layer, "seed_generator", None) is not None:
                    layer.seed_generator.state.assign(np.array([1, 2]))
            self.network.train_on_batch(self.images, self.targets, return_dict=True)

        return step_seconds(step)


def step_seconds(step: Callable[[], object]) -> float:
    """Return the seconds of a compiled step: median of the faster half, as noise only delays."""
    step()
    taken: list[float] = []
    while len(taken) < MIN_STEPS or (sum(taken) < SECONDS and len(taken) < MAX_STEPS):
        started = time.perf_counter()
        step()
        taken.append(time.perf_counter() - started)
    return median(sorted(taken)[: (len(taken) + 1) // 2])


def _rate(amount: float, seconds: float) -> float:
    """Return an amount per second; a time within the overhead of a step counts as a microsecond."""
    return amount / max(seconds, 1e-6)
