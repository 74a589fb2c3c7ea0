"""What training needs of a backend of Keras; the modules here import a framework by name."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from workbench.machine.device_group import not_enough_devices
from workbench.machine.trial import DeviceTrial, has_tensor_cores

Tensor = Any  # of the framework
# Steps that a call of a compiled loop takes at most; 512 of a few microseconds each leave little of
# a call's own time.
CALL_LENGTHS = (1, 8, 64, 512)


@dataclass(frozen=True)
class Device:
    """What the network runs on.

    Attributes:
        kind: "cpu" or "gpu".
        name: as the backend names it.
        tensor_cores: whether float16 pays off there.
        trial: what the machine check kept of it, which decides about XLA and precision.
        precision: that of the earlier sessions of a resumed run; "" for none.
        count: how many of the kind take part in each training step.
    """

    kind: str
    name: str
    tensor_cores: bool = False
    trial: DeviceTrial | None = None
    precision: str = ""
    count: int = 1


@dataclass(frozen=True)
class ListedDevice:
    """A device that the backend offers.

    Attributes:
        id: as `keras.device` takes it: "cpu:0", "gpu:1".
        capability: of an NVIDIA GPU, None where it is unknown.
    """

    id: str
    kind: str
    name: str
    capability: tuple[int, int] | None = None

    def as_device(self) -> Device:
        """Return the device as training knows it."""
        tensor_cores = self.kind == "gpu" and has_tensor_cores(self.capability)
        return Device(self.kind, self.name, tensor_cores)


CPU = ListedDevice("cpu:0", "cpu", "CPU")


def first_gpu(devices: list[ListedDevice]) -> Device:
    """Return the first GPU of a backend's list, else the CPU."""
    return next((one for one in devices if one.kind == "gpu"), CPU).as_device()


def require_devices(count: int, there: int, kind: str) -> None:
    """Check that a backend has as many devices as a run is to use.

    Args:
        count: requested.
        there: of the kind.
        kind: "gpu" or "cpu".

    Raises:
        UserError: There are fewer.
    """
    if there < count:
        raise not_enough_devices(count, there if kind == "gpu" else 0)


@dataclass(frozen=True)
class BackendInfo:
    """The backend: its version, and the CUDA and cuDNN versions it was built for, "" for none."""

    backend: str
    version: str
    cuda: str = ""
    cudnn: str = ""


class Arrays(NamedTuple):
    """What steps take their rows from, on the device.

    Attributes:
        x: (n, ...), features or uint8 images.
        y: (m,) or (m, 1), targets of the loss for each row of the pack.
        weights: sample weights, float32 (m,); none for equal ones.
    """

    x: Tensor
    y: Tensor
    weights: Sequence[Tensor] = ()


class Steps(NamedTuple):
    """Steps to take in a call; the arrays have the length of the longest call, the rest is unused.

    Attributes:
        places: int32 (512, b), rows of `Arrays.x` of each step.
        rows: int32 (512, b), the same images as rows of the pack.
        rates: float32 (512,), learning rates.
        seeds: int32 (512, dropouts, 2), of each layer with dropout.
        changes: float32 (512, b, 8), augmentation; none where images stay as they are.
        mixes: float32 (512, 6), how a batch is mixed (see `training.mixing`); none where it is not.
        shares: float32 (512, b), what each image counts in the mean of its part of a batch; none
            where a batch stays whole (see `split_steps`).
    """

    places: np.ndarray
    rows: np.ndarray
    rates: np.ndarray
    seeds: np.ndarray
    changes: Sequence[np.ndarray] = ()
    mixes: Sequence[np.ndarray] = ()
    shares: Sequence[np.ndarray] = ()


def split_steps(steps: Steps, parts: int, overlap: bool = False) -> Steps:
    """Cut each batch of b images into parts of equal size, one for each device.

    What is missing in the last parts is filled up with images that count nothing. The means of the
    parts, weighed by `shares`, add up to the mean of the batch.

    Args:
        steps: of whole batches.
        parts: number of devices, d.
        overlap: whether a part ends with the first image of the next one, which counts nothing
            there: what mixing needs.

    Returns:
        Steps with places, rows, changes and shares of (512, d, size of a part, ...).
    """
    batch = steps.places.shape[1]
    size = -(-batch // parts)
    within = np.arange(size + overlap)
    index = size * np.arange(parts)[:, None] + within
    counts = (within < size) & (index < batch)
    shares = (counts * len(within) / batch).astype(np.float32)
    index %= batch
    return steps._replace(
        places=steps.places[:, index],
        rows=steps.rows[:, index],
        changes=[changes[:, index] for changes in steps.changes],
        shares=[np.broadcast_to(shares, (len(steps.places), *shares.shape))],
    )


class Batch(NamedTuple):
    """What one step computes on: rows of `Arrays`, and the step's own part of `Steps`."""

    x: Tensor
    y: Tensor
    weights: Sequence[Tensor]
    seeds: Sequence[Tensor]
    changes: Sequence[Tensor]
    mixes: Sequence[Tensor]
    shares: Sequence[Tensor] = ()


class CompiledSteps(Protocol):
    """A loop over steps, compiled."""

    def __call__(
        self, arrays: Arrays, steps: Steps, count: int, predictions: Sequence[np.ndarray] = ()
    ) -> Sequence[Tensor]:
        """Take `count` steps.

        Args:
            arrays: what the steps take their rows from.
            steps: what each step takes.
            count: number of steps.
            predictions: zeros, float32 (`count` or more, b, outputs), for an evaluation whose
                predictions are needed, or (`count` or more, b) if their labels are enough; else
                none.

        Returns:
            Loss and accuracy of each step, float32 (longest call,), and the predictions in the
            place of the zeros, as tensors that may still be computed.
        """


class Backend(Protocol):
    """A module of this package."""

    def prepare(self, deterministic: bool, devices: int = 1) -> Device:
        """Configure GPU memory and determinism; return the device that training uses.

        Args:
            deterministic: whether repeats are bit-identical.
            devices: number of devices that share each batch of a training step.

        Raises:
            UserError: There are fewer devices.
        """

    def scope(self) -> AbstractContextManager[Any]:
        """Return a context in which the variables of a model and its optimizer are made."""

    def list_devices(self) -> list[ListedDevice]:
        """Return the devices that training could use, CPU first."""

    def describe(self) -> BackendInfo:
        """Return the versions of the backend."""

    def place(self, array: Any) -> Any:
        """Copy an array to the device that training uses; return it as a tensor."""

    def compile_steps(self, network: Any, training: bool, jit: bool) -> CompiledSteps:
        """Compile a loop over steps of a `StepNetwork` (see `training.fused_steps`).

        A training loop updates the model's and the optimizer's variables in each step, until the
        first loss that is not finite: from this step on nothing changes. An evaluation takes the
        averages of the trained weights where there are some.

        Where several devices were prepared, training shares each batch among them; an evaluation
        runs on the first.
        """

    def value_and_gradient(self, function: Callable[[Any], Any], at: Any) -> tuple[Any, Any]:
        """Return a function's value and gradient at a tensor, both as tensors."""
