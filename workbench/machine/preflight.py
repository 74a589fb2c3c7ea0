"""What is looked at before anything is made or trained: the same for commands and for the app."""

import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from workbench import pip_install
from workbench.bases.weights import IMAGENET, RANDOM, check_weights_file
from workbench.datasets.layout import recognise
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.backends import TRAINABLE, chosen_backend, read_backends
from workbench.machine.check import look_at_gpus
from workbench.machine.facts import Facts, Outcome
from workbench.machine.framework_faults import backend_missing, keras_settings
from workbench.machine.gpus import AUTO, NONE, Choice
from workbench.machine.memory_check import refuse_too_little
from workbench.progress import Progress, silent
from workbench.text import safe_text

# What each way of running a frozen prefix without Keras needs; the extra `cpu` installs it.
ACCELERATOR_PACKAGES = {"exact": ("openvino",), "fast": ("openvino", "nncf")}


def look_before_start(
    spec: ExperimentSpec,
    queue: bool = False,
    progress: Progress = silent,
    warn: Callable[[str], None] = lambda message: None,
) -> Choice:
    """Look whether a run can begin; return the device that it would take.

    Takes a second or more with many images or a slow driver.

    Args:
        queue: True for a run that waits: whoever holds the GPU's memory may be gone by then.
        progress: told while the images are listed.
        warn: called with what is doubtful about the layout of the images.

    Raises:
        UserError: the images, the weights, the backend or the GPU are not as they should be, or
            what is left of its memory cannot hold the training.
    """
    look_before_training(spec)
    found = recognise(spec.data.source, progress)
    for doubt in found.doubts:
        warn(doubt.message)
    choice = look_at_gpus(spec.training.gpu)
    if not queue:
        refuse_too_little(spec, len(found.labels), choice)
    return choice


def look_before_resume(spec: ExperimentSpec) -> None:
    """Look whether a run can go on: its images may be gone, for it has its own pack of them.

    Raises:
        UserError: the weights, the backend or the GPU are not as they should be.
    """
    look_before_training(spec)
    _look_for_gpu(spec.training.gpu)


def look_before_ladder(specs: Sequence[tuple[str, ExperimentSpec]]) -> None:
    """Look whether the rungs of a ladder can be trained; they wait for one another.

    Args:
        specs: preset and spec of each rung.

    Raises:
        UserError: as `look_before_resume`; the rung is named.
    """
    for preset, spec in specs:
        try:
            look_before_training(spec)
        except UserError as error:
            raise UserError(f"rung {preset}: {error.message}", error.hint) from None
    for asked in dict.fromkeys(spec.training.gpu for _, spec in specs):
        _look_for_gpu(asked)


def look_before_training(spec: ExperimentSpec, environment: Mapping[str, str] = os.environ) -> None:
    """Look for what a spec needs in any process that trains, without importing any of it.

    Raises:
        UserError: a file of weights is missing or none, an accelerator's packages are missing, or
            Keras cannot be started.
    """
    check_backend(environment)
    check_weights(spec)
    if spec.base:
        check_accelerator(spec.base.accelerator, environment)


def check_weights(spec: ExperimentSpec) -> None:
    """Look whether a file of weights of one's own is there; published ones are fetched later.

    Raises:
        UserError: it is missing, cannot be read, or is no file of weights.
    """
    if spec.base and spec.base.weights not in (IMAGENET, RANDOM):
        path = Path(spec.base.weights).expanduser()
        if not path.exists():
            raise UserError(
                f"There is no file of weights {safe_text(path, 2000)}.",
                "Set base.weights to imagenet, random or a file.",
            )
        check_weights_file(path)


def check_backend(environment: Mapping[str, str] = os.environ) -> None:
    """Look whether Keras can be started, in the words of the machine check.

    Raises:
        UserError: its backend is not installed, or its settings file keeps it from starting.
    """
    failed = Outcome(status="failed")  # as it would be, so that nothing installed is a fault too
    facts = Facts(backends=read_backends(environment), outcomes={"framework": failed})
    found = keras_settings(facts)
    if not _is_there(facts.backends.chosen):  # also as tensorflow-cpu, or by another name
        found += backend_missing(facts)
    for finding in found:
        if finding.severity == "broken":
            raise UserError(f"{finding.what} {finding.why}", f"To do: {finding.remedy}")


def check_accelerator(mode: str, environment: Mapping[str, str] = os.environ) -> None:
    """Look whether `base.accelerator` can be had, without importing any of it.

    Raises:
        UserError: a package is missing, or the backend is one that it cannot read.
    """
    if mode == "none":
        return
    missing = [n for n in ACCELERATOR_PACKAGES[mode] if importlib.util.find_spec(n) is None]
    if missing:
        raise UserError(
            f"base.accelerator is {mode}, which needs {' and '.join(missing)}: not installed.",
            f"Install it: {pip_install('cpu')}. Or let Keras do it: --set base.accelerator=none",
        )
    backend = chosen_backend(environment)
    if backend != "tensorflow":
        raise UserError(
            f"base.accelerator is {mode}, which reads networks of the TensorFlow backend; "
            f"this is {safe_text(backend, 40)}.",
            "Let Keras do it: --set base.accelerator=none",
        )


def _look_for_gpu(asked: int | str) -> None:
    """Look for the GPU that was asked for; no driver is asked where any will do."""
    if asked not in (AUTO, NONE):
        look_at_gpus(asked)


def _is_there(backend: str) -> bool:
    """Whether a module that can train could be imported."""
    found = importlib.util.find_spec(backend) if backend in TRAINABLE else None
    return found is not None and found.origin is not None
