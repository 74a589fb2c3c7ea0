"""Preparation of a process before it has a run, so that a run's start does not wait for it.

With a GPU it only imports: whatever uses a device would hold memory of a GPU that the run may not
choose. Without one it also takes a step of training, the first of which costs a second.
"""

import os
from contextlib import suppress
from dataclasses import dataclass

from workbench.experiment.spec import ExperimentSpec
from workbench.machine.backends import DEFAULT, chosen_backend
from workbench.machine.check import find_gpu
from workbench.machine.gpus import AUTO, NONE
from workbench.training.environment import prepare_environment


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
    has_gpu = find_gpu(AUTO).gpu is not None
    if has_gpu and chosen_backend(os.environ) != DEFAULT:
        return WarmState()  # importing keras would start the driver there
    prepare_environment()
    _import_all()
    if has_gpu or not step:
        return WarmState()
    from workbench.training.backend import warm_up_backend

    warm_up_backend()
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
    import workbench.training.models  # noqa: F401
