"""What a process does before its job: it claims a device, imports keras, or prepares for a run.

A process on standby prepares itself before it has a run, so that a run's start does not wait for
it. With a GPU it only imports: whatever uses a device would hold memory of a GPU that the run may
not choose. Without one it also takes a step of training, the first of which costs a second.
"""

import gc
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import read_spec
from workbench.export.formats import FORMATS
from workbench.machine.backends import AUTO as AUTO_BACKEND
from workbench.machine.backends import (
    DEFAULT,
    backend_environment,
    backend_of_run,
    chosen_backend,
)
from workbench.machine.driver import find_gpu, has_gpu_device
from workbench.machine.gpus import AUTO, NONE, GpuChoice
from workbench.machine.preflight import check_backend
from workbench.machine.trial import load_trial
from workbench.runs.events import Event, StageStarted
from workbench.runs.folder import RunFolder

if TYPE_CHECKING:
    from workbench.training.backends import Device


# This process's variables as it got them: before a backend was set and other GPUs were hidden. What
# it starts, or becomes, chooses for itself.
FIRST_ENVIRONMENT: Mapping[str, str] = dict(os.environ)


def claim_device(gpu: int | str = AUTO) -> GpuChoice:
    """Choose the GPU of a job that is no run and hide all others; keras is not yet imported.

    Args:
        gpu: "auto", "none" or an index.

    Raises:
        UserError: The requested GPU does not exist.
    """
    choice = find_gpu(gpu)
    os.environ.update(choice.environment)
    return choice


def backend_of_session(folder: RunFolder, resume: bool) -> str:
    """Return the backend that a run's spec asks for or, once it has begun, that it began with.

    "auto" for whatever Keras chooses.
    """
    with suppress(UserError):  # the run itself reports a spec that cannot be read
        setting = read_spec(folder.spec_path).training.backend
        begun = resume and any(folder.checkpoints.glob("*.npz"))
        return (begun and setting == AUTO_BACKEND and backend_of_run(folder)) or setting
    return AUTO_BACKEND


def earlier_precision(events: Sequence[Event]) -> str:
    """Return the precision of the newest stage of a log, "" before the first."""
    return next((e.precision for e in reversed(events) if isinstance(e, StageStarted)), "")


def backend_of_request(request: Mapping[str, Any]) -> str:
    """Return the backend for a job: of its spec, else of the run whose model it uses, if it can.

    "auto" for whatever Keras chooses.
    """
    if "spec" in request:
        return str(request["spec"].get("training", {}).get("backend", AUTO_BACKEND))
    names = [*request.get("formats", ()), *filter(None, [request.get("format")])]
    if needed := next(filter(None, (FORMATS[name].backend for name in names)), ""):
        return needed
    run = request.get("run") or (request.get("model") and Path(request["model"]).parent)
    found = backend_of_run(RunFolder(Path(run))) if run else ""
    return found if found and importlib.util.find_spec(found) else AUTO_BACKEND


def use_backend(setting: str) -> None:
    """Let Keras use a backend, "auto" for whatever it chooses; keras must not be imported yet."""
    os.environ.update(backend_environment(setting))


def prepare_environment(deterministic: bool = False) -> None:
    """Set what the backends read when they are imported; the user's own variables stay.

    Raises:
        UserError: Keras cannot be imported here.
    """
    check_backend()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # less start-up chatter
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX: memory as needed
    backend = chosen_backend(os.environ)
    if deterministic and backend == "torch":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if deterministic and backend == "jax":
        os.environ.setdefault("XLA_FLAGS", "--xla_gpu_deterministic_ops=true")


def import_keras() -> None:
    """Import keras without what it and TensorFlow only look for, a third of the time.

    Keras takes scikit-learn where it finds it, for wrappers that nothing here uses, and TensorFlow
    takes JAX for a converter. Both can be imported afterwards. Modules stay to the end: looking for
    garbage among them would take another fifth of the time, and again in every later search.
    """
    unused = {"sklearn", *({"jax"} if chosen_backend(os.environ) == DEFAULT else ())}
    unused -= sys.modules.keys()
    sys.modules.update(dict.fromkeys(unused))  # None: not to be found
    collects = gc.isenabled()
    gc.disable()
    try:
        import keras  # noqa: F401
    finally:
        for name in unused:
            del sys.modules[name]
        gc.freeze()
        if collects:
            gc.enable()


def start_keras(deterministic: bool = False, devices: int = 1) -> "Device":
    """Import keras with its environment prepared; return the device, and what is kept of it.

    The device must have been claimed before.

    Args:
        deterministic: whether repeats are bit-identical.
        devices: number of devices that share each batch of a training step.

    Raises:
        UserError: Keras cannot be imported here, or sees fewer devices.
    """
    environment = dict(os.environ)  # as the machine check saw it
    prepare_environment(deterministic)
    import_keras()
    from workbench.training.backend import prepare_device

    device = prepare_device(deterministic, devices)
    return replace(device, trial=load_trial(device.name, environment))


@dataclass(frozen=True)
class WarmState:
    """What a process has done that cannot be undone.

    Attributes:
        stepped: it has initialized its devices, and so can neither become deterministic nor have
            more of them.
    """

    stepped: bool = False

    def suits(self, spec: ExperimentSpec, backend: str = AUTO_BACKEND) -> bool:
        """Return True if the run would be the same in a new process.

        Args:
            spec: of the run.
            backend: as `backend_of_session` returned it.
        """
        training = spec.training
        if chosen_backend(backend_environment(backend)) != chosen_backend(os.environ):
            return False
        plain = not training.deterministic and training.devices == 1
        return not self.stepped or (plain and training.gpu in (AUTO, NONE))


def warm_up(step: bool = True) -> WarmState:
    """Import what training needs; without a GPU take a step as well.

    Args:
        step: False for imports only.
    """
    has_gpu = has_gpu_device(os.environ)
    if has_gpu and chosen_backend(os.environ) != DEFAULT:
        return WarmState()  # importing keras would start the driver there
    prepare_environment()
    import_keras()
    _import_all()
    if has_gpu or not step:
        return WarmState()
    from workbench.training.fused_steps import warm_up_steps

    warm_up_steps()
    return WarmState(stepped=True)


def warm_up_for(spec: ExperimentSpec) -> None:
    """Do what suits a run that is known but has to wait.

    Errors are ignored: the run meets them again when it can report them.
    """
    with suppress(Exception):
        warm_up(step=WarmState(stepped=True).suits(spec))


def _import_all() -> None:
    import workbench.evaluation.evaluate
    import workbench.evaluation.model_file
    import workbench.training.models
    import workbench.training.trainer  # noqa: F401


def versions() -> dict[str, str]:
    """Return the versions of the packages that decide about the last bits of a result."""
    found = {"backend": chosen_backend(os.environ)}
    for package in ("keras", "tensorflow", "jax", "torch", "numpy", "pillow"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
