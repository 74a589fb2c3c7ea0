"""What a process does before its job: it claims a device, imports keras, or prepares for a run.

A process on standby prepares itself before it has a run, so that a run's start does not wait for
it. With a GPU it only imports: whatever uses a device would hold memory of a GPU that the run may
not choose. Without one it also takes a step of training, the first of which costs a second.
"""

import importlib.metadata
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.experiment.spec import ExperimentSpec
from workbench.machine.backends import DEFAULT, chosen_backend
from workbench.machine.driver import find_gpu, has_gpu_device
from workbench.machine.gpus import AUTO, NONE, GpuChoice
from workbench.machine.preflight import check_backend
from workbench.machine.trial import load_trial

if TYPE_CHECKING:
    from workbench.training.backends import Device


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


def start_keras(deterministic: bool = False) -> "Device":
    """Import keras with its environment prepared; return the device, and what is kept of it.

    The device must have been claimed before.

    Raises:
        UserError: Keras cannot be imported here.
    """
    environment = dict(os.environ)  # as the machine check saw it
    prepare_environment(deterministic)
    from workbench.training.backend import prepare_device

    device = prepare_device(deterministic)
    return replace(device, trial=load_trial(device.name, environment))


@dataclass(frozen=True)
class WarmState:
    """What a process has done that cannot be undone.

    Attributes:
        stepped: it has initialized its devices, and so cannot become deterministic.
    """

    stepped: bool = False

    def suits(self, spec: ExperimentSpec) -> bool:
        """Return True if the run would be the same in a new process."""
        training = spec.training
        return not self.stepped or (not training.deterministic and training.gpu in (AUTO, NONE))


def warm_up(step: bool = True) -> WarmState:
    """Import what training needs; without a GPU take a step as well.

    Args:
        step: False for imports only.
    """
    has_gpu = has_gpu_device(os.environ)
    if has_gpu and chosen_backend(os.environ) != DEFAULT:
        return WarmState()  # importing keras would start the driver there
    prepare_environment()
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
