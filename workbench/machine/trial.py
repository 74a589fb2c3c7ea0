"""What "auto" means for XLA and precision on a device: the decision, and the trial behind it.

The machine check trains a small network on each device, with and without XLA and in half precision,
in a process that may die of it. What came of it is kept for the very device, driver and versions,
since XLA ends the process on a GPU that the framework was not built for. Nothing else turns XLA or
half precision on unasked.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from workbench.machine.backends import chosen_backend
from workbench.machine.driver import driver_version
from workbench.machine.facts import Framework, TrialStep
from workbench.machine.kept import forget, keep, kept_path, load_kept, software
from workbench.messages import tr
from workbench.text import safe_text

FORMAT = 1
# What a worker sets for itself, and another process of the same person does not.
_OWN_VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "XLA_PYTHON_CLIENT_PREALLOCATE",
)
FLOAT32, FLOAT16 = "float32", "mixed_float16"
MIN_TENSOR_CORES = (7, 0)  # compute capability
# Between the losses with and without XLA after a few steps; its kernels round differently.
TOLERANCE = 0.02


class DeviceTrial(BaseModel, frozen=True):
    """What the trial of one device showed.

    Attributes:
        plain: in float32 without XLA; None where it was not tried, as for the others.
        xla: in float32 with XLA.
        half: in mixed_float16, compiled as the backend does it by itself.
    """

    plain: TrialStep | None = None
    xla: TrialStep | None = None
    half: TrialStep | None = None

    @property
    def trains(self) -> bool:
        """True if the device trained in the backend's own way: JAX always compiles."""
        first = self.plain or self.xla
        return first is not None and first.worked


class Decision(NamedTuple):
    """What "auto" resolves to on a device.

    Attributes:
        value: "on" or "off" for XLA; a dtype policy.
        why: a few words.
        untried: True where a machine check may change it.
    """

    value: str
    why: str
    untried: bool = False

    @property
    def on(self) -> bool:
        """True for XLA that is on."""
        return self.value == "on"


def trial_of(steps: Iterable[TrialStep], device: str) -> DeviceTrial:
    """Return the trial of a device ("gpu:0") from the steps of all."""
    mine = [step for step in steps if step.device == device]
    full = [step for step in mine if step.precision == FLOAT32]
    return DeviceTrial(
        plain=next((step for step in full if not step.jit), None),
        xla=next((step for step in full if step.jit), None),
        half=next((step for step in mine if step.precision == FLOAT16), None),
    )


def decide_jit(backend: str, kind: str, deterministic: bool, trial: DeviceTrial | None) -> Decision:
    """Decide whether XLA compiles the steps of a run whose spec leaves it open.

    On a CPU, XLA slows down every kind of stage (benchmarks/jit.py: a whole convnet to 0.57, a head
    to 0.2 to 0.3, block5 of VGG16 to 0.9, the top of MobileNetV2 to 0.2 of the speed without).

    Args:
        backend: tensorflow, jax or torch.
        kind: "cpu" or "gpu".
        deterministic: with it compiled kernels may differ between processes, as in Keras.
        trial: what was kept of the device; None for nothing.
    """
    if backend == "jax":
        return Decision("on", tr("JAX would run every operation by itself without it"))
    if backend != "tensorflow":
        return Decision("off", tr("Keras has none with this backend"))
    if kind != "gpu":
        return Decision("off", tr("it slows down a CPU"))
    if deterministic:
        return Decision("off", tr("its kernels may differ between processes"))
    plain, xla = (trial.plain, trial.xla) if trial else (None, None)
    if xla is None or plain is None:
        return Decision("off", tr("it was not tried here"), untried=True)
    if xla.ended:
        return Decision("off", tr("XLA ends the process on this GPU"))
    if xla.error:
        return Decision("off", tr("it fails: {error}", error=safe_text(xla.error, 60)))
    if not xla.worked or not plain.worked or not _close(plain.loss, xla.loss):
        return Decision("off", tr("the loss is another one with it"))
    if plain.pace is None or xla.pace is None:
        return Decision("off", tr("its speed was not measured here"), untried=True)
    faster = xla.pace < plain.pace
    return Decision(
        "on" if faster else "off",
        tr("a step takes {xla} with it, {plain} without", xla=_ms(xla.pace), plain=_ms(plain.pace)),
    )


def decide_precision(tensor_cores: bool, trial: DeviceTrial | None) -> Decision:
    """Decide in which precision a run trains whose spec leaves it open.

    Args:
        tensor_cores: whether the device computes faster in float16.
        trial: what was kept of the device; None for nothing.
    """
    if not tensor_cores:
        return Decision(FLOAT32, tr("the device has no tensor cores"))
    half = trial.half if trial else None
    if half is None:
        return Decision(FLOAT32, tr("half precision was not tried here"), untried=True)
    if half.ended:
        return Decision(FLOAT32, tr("half precision ends the process on this GPU"))
    if not half.worked:
        return Decision(FLOAT32, tr("half precision gave no finite loss here"))
    return Decision(FLOAT16, tr("tensor cores, and the loss stayed finite"))


def describe_auto(jit: Decision | None, precision: Decision | None) -> str:
    """Return what "auto" means and why: XLA off (it fails: ...), float32 (...).

    Args:
        jit: None where the spec does not leave it open.
        precision: likewise.
    """
    parts = [f"XLA {jit.value} ({jit.why})"] if jit else []
    return ", ".join(parts + ([f"{precision.value} ({precision.why})"] if precision else []))


def has_tensor_cores(capability: tuple[int, int] | None) -> bool:
    """Return whether a GPU of this compute capability has matrix units for float16."""
    return (capability or (0, 0)) >= MIN_TENSOR_CORES


def load_trial(device: str, environment: Mapping[str, str]) -> DeviceTrial | None:
    """Return what was kept of a device by its name; None where it was not tried as it is now."""
    return load_kept(_path(device, environment), DeviceTrial)


def keep_trials(framework: Framework, environment: Mapping[str, str]) -> None:
    """Keep the trial of each kind of device: of the first one of a kind that trains at all.

    Raises:
        OSError: the cache folder cannot be written.
    """
    found: dict[str, DeviceTrial] = {}
    for device in framework.devices:
        trial = trial_of(framework.steps, device.id)
        if not found.setdefault(device.name, trial).trains:
            found[device.name] = trial
    for name, trial in found.items():
        path = _path(name, environment)
        keep(path, trial) if trial.plain or trial.xla else forget(path)


def _path(device: str, environment: Mapping[str, str]) -> Path:
    identity = {
        "format": FORMAT,
        "device": device,
        "driver": driver_version(),
        "backend": chosen_backend(environment),
        **software(environment, _OWN_VARIABLES),
    }
    return kept_path("trial", identity, environment)


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return False
    return abs(one - other) <= TOLERANCE * max(abs(one), abs(other), 0.1)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"
