"""The part of the machine check that needs the backend: which devices there are, and do they train.

python -m workbench.training.probe --report-fd N

It writes JSON lines, so that a crash loses no earlier result:

    {"framework": {...}}      versions and devices
    {"begin": "gpu:0 jit"}    a step begins; if the process ends here, it crashed in this step
    {"step": {...}}           a convolution and a matrix product trained one step on a device
    {"speed": {...}}          the measured throughput of a device
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import keras
import numpy as np
from keras import layers

from workbench.experiment.estimate import PREFIX_BATCH_SINGLE, ThroughputModel
from workbench.machine.host import busy_share
from workbench.text import use_utf8
from workbench.training.backend import (
    describe,
    list_devices,
    prepare_device,
    resolve_jit,
    resolve_precision,
)
from workbench.training.backends import Device, ListedDevice
from workbench.training.features import places_matter

SECONDS = 0.12  # of steps for each measurement
BUSY_SECONDS = 0.2  # to measure how busy other programs keep the CPU
MIN_STEPS, MAX_STEPS = 3, 60
CPU_BATCH, GPU_BATCH = 8, 128  # images a step; a GPU needs more of them to be busy
SIDE, CHANNELS = 28, 256  # VGG16's third block at 112 x 112
THIN_SIDE, THIN_FILTERS = 150, 32  # the first block of the book's convnet
UNITS = 1024
FLOAT = 4  # bytes
MAX_ERROR_LENGTH = 2000  # characters
Write = Callable[[dict[str, Any]], None]


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
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        speed = measure(jit, GPU_BATCH if device.kind == "gpu" else CPU_BATCH)
        if device.kind == "cpu" and places_matter(_small_base()):
            speed = speed.model_copy(update={"prefix_batch": PREFIX_BATCH_SINGLE})
    finally:
        keras.config.set_dtype_policy(policy)
        keras.backend.clear_session()
    return DeviceBenchmark(speed, precision, jit, busy)


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
    wide = _Timed((UNITS,), [layers.Dense(UNITS), layers.Dense(UNITS)], batch_size, jit)
    update = max(wide.training() - training_step, 0.0) / (2 * UNITS * (UNITS + 1))

    half = CHANNELS // 2
    deep = _Timed((SIDE, SIDE, half), [_convolution(CHANNELS) for _ in range(2)], batch_size, jit)
    first, second = (SIDE**2 * CHANNELS * 9 * inputs * batch_size for inputs in (half, CHANNELS))
    parameters = CHANNELS * (9 * half + 9 * CHANNELS + 2)
    forward_flops = _rate(2 * (first + second), deep.forward() - step)
    training_flops = _rate(
        2 * (2 * first + 3 * second),  # the first layer's input needs no gradient
        deep.training() - training_step - parameters * update,
    )

    layers_of_thin = [_convolution(THIN_FILTERS), layers.MaxPooling2D(2)]
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
    )


def _small_base() -> keras.Model:
    """Return a network of the kinds of layers in pretrained bases, for `places_matter`."""
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D(16, 3, strides=2)(image)
    x = layers.DepthwiseConv2D(3)(x)
    return keras.Model(image, layers.Conv2D(48, 1)(x))


def train_one_step(jit: bool) -> None:
    """Train a convolution and a matrix product for one step; raise any error of the backend."""
    network = _network((16, 16, 8), [_convolution(16), layers.MaxPooling2D(2)], jit)
    images, targets = _batch((16, 16, 8), 4)
    network.train_on_batch(images, targets)


def _convolution(filters: int) -> keras.Layer:
    return layers.Conv2D(filters, 3, padding="same", activation="relu")


def _network(shape: tuple[int, ...], body: Sequence[keras.Layer], jit: bool) -> keras.Model:
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


def _batch(shape: tuple[int, ...], batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    images = rng.random((batch_size, *shape), dtype=np.float32)
    return images, rng.integers(0, 2, (batch_size, 1)).astype(np.float32)


class _Timed:
    """A network with timed steps."""

    def __init__(
        self, shape: tuple[int, ...], body: Sequence[keras.Layer], batch_size: int, jit: bool
    ) -> None:
        self.network = _network(shape, body, jit)
        self.images, self.targets = _batch(shape, batch_size)

    def forward(self) -> float:
        """Return the seconds of a step without training."""
        return _seconds(
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

        return _seconds(step)


def _seconds(step: Callable[[], object]) -> float:
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


def main(arguments: list[str] | None = None) -> int:
    """Run the probe; return the exit code."""
    use_utf8(sys.stdout)
    parser = argparse.ArgumentParser(prog="python -m workbench.training.probe")
    parser.add_argument("--report-fd", type=int, required=True)
    parser.add_argument("--skip", action="append", default=[], help="a step to leave out")
    parser.add_argument("--known", action="append", default=[], help="a device not to measure")
    options = parser.parse_args(arguments)
    with os.fdopen(options.report_fd, "w", encoding="utf-8") as out:

        def write(line: dict[str, Any]) -> None:
            out.write(json.dumps(line) + "\n")
            out.flush()

        run_probe_steps(write, frozenset(options.skip), frozenset(options.known))
    return 0


def run_probe_steps(write: Write, skip: frozenset[str], known: frozenset[str]) -> None:
    """Write all results except those of steps to skip; do not measure devices named in `known`."""
    prepare_device(deterministic=False)
    devices = list_devices()
    write({"framework": _framework(devices)})
    for device in devices:
        _try_steps(device, write, skip)
    measured = set(known)
    for device in devices:
        name = f"{device.id} speed"
        if name not in skip and device.name not in measured:
            measured.add(device.name)
            write({"begin": name})
            _measure(device, write)


def _framework(devices: list[ListedDevice]) -> dict[str, Any]:
    listed = [
        {
            "id": device.id,
            "kind": device.kind,
            "name": device.name,
            "compute_capability": device.capability,
        }
        for device in devices
    ]
    return {**asdict(describe()), "keras": keras.__version__, "devices": listed}


def _try_steps(device: ListedDevice, write: Write, skip: frozenset[str]) -> None:
    """Train one step without jit and, unless the backend is PyTorch, one with it."""
    modes = (False,) if keras.backend.backend() == "torch" else (False, True)
    for jit in modes:
        name = f"{device.id} jit" if jit else device.id
        if name in skip:
            continue
        write({"begin": name})
        started, error = time.monotonic(), ""
        try:
            with keras.device(device.id):
                train_one_step(jit)
        except Exception as problem:  # any error is a result
            error = _describe_error(problem)
        seconds = time.monotonic() - started
        write({"step": {"device": device.id, "jit": jit, "error": error, "seconds": seconds}})


def _measure(device: ListedDevice, write: Write) -> None:
    try:
        with keras.device(device.id):
            found = measure_device(device.as_device())
    except Exception as problem:  # reported as a failed step
        write({"step": {"device": device.id, "jit": False, "error": _describe_error(problem)}})
        return
    settings = {"precision": found.precision, "jit": found.jit, "busy": found.busy}
    write({"speed": {"device": device.id, **settings, "speed": found.speed.model_dump()}})


def _describe_error(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}"[:MAX_ERROR_LENGTH]


if __name__ == "__main__":
    sys.exit(main())
