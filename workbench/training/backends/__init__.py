"""What training needs of a backend of Keras; the modules here import a framework by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from workbench.machine.trial import DeviceTrial, has_tensor_cores

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
    """

    kind: str
    name: str
    tensor_cores: bool = False
    trial: DeviceTrial | None = None
    precision: str = ""


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


@dataclass(frozen=True)
class BackendInfo:
    """The backend: its version, and the CUDA and cuDNN versions it was built for, "" for none."""

    backend: str
    version: str
    cuda: str = ""
    cudnn: str = ""


# A loop over steps, compiled: takes the `Arrays`, the `Steps` and their count; returns the loss and
# accuracy of each step, float32 (longest call,), as tensors that may still be computed.
CompiledSteps = Callable[[Any, Any, int], tuple[Any, Any]]


class Backend(Protocol):
    """A module of this package."""

    def prepare(self, deterministic: bool) -> Device:
        """Configure GPU memory and determinism; return the device that training uses."""

    def list_devices(self) -> list[ListedDevice]:
        """Return the devices that training could use, CPU first."""

    def describe(self) -> BackendInfo:
        """Return the versions of the backend."""

    def place(self, array: Any) -> Any:
        """Copy an array to the device that training uses; return it as a tensor."""

    def compile_steps(self, network: Any, training: bool, jit: bool) -> CompiledSteps:
        """Compile a loop over steps of a `StepNetwork` (see `training.fused_steps`).

        A training loop updates the model's and the optimizer's variables in each step, until the
        first loss that is not finite: from this step on nothing changes.
        """

    def value_and_gradient(self, function: Callable[[Any], Any], at: Any) -> tuple[Any, Any]:
        """Return a function's value and gradient at a tensor, both as tensors."""
