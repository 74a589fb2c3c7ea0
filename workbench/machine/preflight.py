"""Checks before a run is created or trained, shared by commands and screens."""

import importlib.util
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from workbench import pip_install
from workbench.bases.weights import IMAGENET, RANDOM, check_weights_file
from workbench.datasets.groups import with_groups
from workbench.datasets.sources.source import Source
from workbench.datasets.store import dataset_folder, open_in
from workbench.errors import UserError
from workbench.experiment.cost import stage_costs
from workbench.experiment.deadline import check_deadline
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.backends import AUTO as AUTO_BACKEND
from workbench.machine.backends import (
    SETTING,
    TRAINABLE,
    backend_environment,
    chosen_backend,
    read_backends,
)
from workbench.machine.device_group import torch_trains_on_one
from workbench.machine.driver import find_gpus
from workbench.machine.facts import Facts, NvmlReport, ProbeOutcome
from workbench.machine.gpus import AUTO, NONE, GpuChoice, describe_holders
from workbench.machine.rules.framework import backend_missing, keras_settings
from workbench.machine.trial import decide_jit, decide_precision, has_tensor_cores, load_trial
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.text import format_gib, safe_text

# What each mode of running a frozen prefix without Keras needs; the extra `cpu` installs it.
ACCELERATOR_PACKAGES = {"exact": ("openvino",), "fast": ("openvino", "nncf")}
# Of the computed memory certainly needed: fused or recomputed values need none.
CERTAIN_SHARE = 0.6


def check_before_start(
    spec: ExperimentSpec,
    workspace: Workspace,
    queue: bool = False,
    progress: Progress = silent,
    warn: Callable[[str], None] = lambda message: None,
    environment: Mapping[str, str] = os.environ,
) -> tuple[GpuChoice, ...]:
    """Check whether a run can start; return the devices that it would use now.

    Takes a second or more with many images or a slow driver.

    Args:
        spec: of the run.
        workspace: of the run; the list of its images is kept there for the worker.
        queue: True for a run that waits: the GPU's memory may be free by then.
        progress: called while the images are listed.
        warn: called with what is doubtful about the layout of the images.
        environment: of the run's worker.

    Raises:
        UserError: the deadline is over, the images, the weights, the backend or the GPU cannot be
            used, or the GPU's free memory cannot hold the training.
    """
    check_deadline(spec.training.deadline, time.time())
    check_before_training(spec, environment)
    found = _open_images(spec, workspace, progress, warn)
    # The worker of a queued run asks the driver when its turn comes.
    if queue:
        choices = _check_gpus(spec, environment)
    else:
        classes, training = len(found.labels), spec.training
        needed = certain_memory(spec, classes)
        choices = find_gpus(training.gpu, training.devices, None, environment, needed)
        for choice in choices:
            require_gpu_memory(spec, classes, choice)
    dataset_folder(workspace, found, progress)
    return choices


def check_before_submit(
    specs: Sequence[ExperimentSpec],
    workspace: Workspace,
    progress: Progress = silent,
    warn: Callable[[str], None] = lambda message: None,
) -> None:
    """Check what runs on another machine need of this one, where no framework may be installed.

    Args:
        specs: of the runs; the same images are listed once.
        workspace: of the runs; the list of their images is kept there for the workers.
        progress: called while the images are listed.
        warn: called with what is doubtful about the layout of the images.

    Raises:
        UserError: the deadline is over, or the images or the weights cannot be used.
    """
    for spec in specs:
        check_before_resubmit(spec)
    for spec in {(spec.data.source, spec.data.group): spec for spec in specs}.values():
        dataset_folder(workspace, _open_images(spec, workspace, progress, warn), progress)


def check_before_resubmit(spec: ExperimentSpec) -> None:
    """Check what a run needs that is submitted again; its images may be gone.

    Raises:
        UserError: the deadline is over, or the weights cannot be used.
    """
    check_deadline(spec.training.deadline, time.time())
    check_weights(spec)


def _open_images(
    spec: ExperimentSpec,
    workspace: Workspace,
    progress: Progress,
    warn: Callable[[str], None],
) -> Source:
    found = open_in(workspace, spec.data.source, progress)
    with_groups(found, spec.data.group)  # refuses a pattern that finds none
    for doubt in found.warnings:
        warn(doubt.message)
    return found


def check_before_resume(
    spec: ExperimentSpec, environment: Mapping[str, str] = os.environ
) -> NvmlReport | None:
    """Check whether a run can resume; its images may be gone, since it has a pack of them.

    `environment` is that of its worker.

    Returns:
        What NVML reported; None where it was not asked.

    Raises:
        UserError: the deadline is over, or the weights, the backend or the GPU cannot be used.
    """
    check_deadline(spec.training.deadline, time.time())
    check_before_training(spec, environment)
    return _check_gpus(spec, environment)[0].report


def check_before_sweep(
    specs: Sequence[tuple[str, ExperimentSpec]], environment: Mapping[str, str] = os.environ
) -> None:
    """Check whether the trials of a sweep can be trained, one after the other.

    Args:
        specs: what is said of each trial, such as "strategy dense", and its spec.
        environment: of the workers.

    Raises:
        UserError: as `check_before_resume`; the trial is named.
    """
    for name, spec in specs:
        try:
            check_deadline(spec.training.deadline, time.time())
            check_before_training(spec, environment)
        except UserError as error:
            raise UserError(f"{name}: {error.message}", error.hint) from None
    wanted = {(spec.training.gpu, spec.training.devices): spec for _, spec in specs}
    for spec in wanted.values():
        _check_gpus(spec, environment)


def check_before_training(
    spec: ExperimentSpec, environment: Mapping[str, str] = os.environ
) -> None:
    """Check what a spec needs in any process that trains, without importing any of it.

    Raises:
        UserError: a weights file is missing or invalid, an accelerator's packages are missing,
            Keras cannot be started, or it cannot share batches among devices.
    """
    environment = backend_environment(spec.training.backend, environment)
    check_backend(environment, "" if spec.training.backend == AUTO_BACKEND else SETTING)
    if spec.training.devices > 1 and chosen_backend(environment) == "torch":
        raise torch_trains_on_one(spec.training.devices)
    check_weights(spec)
    if spec.base:
        check_accelerator(spec.base.accelerator, environment)


def check_weights(spec: ExperimentSpec) -> None:
    """Check the user's own weights file; published weights are downloaded later.

    Raises:
        UserError: it is missing, cannot be read, or is not a weights file.
    """
    if spec.base and spec.base.weights not in (IMAGENET, RANDOM):
        path = Path(spec.base.weights).expanduser()
        if not path.exists():
            raise UserError(
                tr("There is no file of weights {path}.", path=safe_text(path, 2000)),
                tr("Set base.weights to imagenet, random or a file."),
            )
        check_weights_file(path)


def check_backend(environment: Mapping[str, str] = os.environ, named_by: str = "") -> None:
    """Check whether Keras can be started, with the findings of the machine check.

    Args:
        environment: of the process.
        named_by: what has put the backend there, if not the person who set the variable.

    Raises:
        UserError: its backend is not installed, or its settings file prevents its start.
    """
    # As the probe would fail, so that a missing installation is a fault too.
    failed = ProbeOutcome(status="failed")
    backends = read_backends(environment)
    if named_by:
        backends = backends.model_copy(update={"named_by": named_by})
    facts = Facts(backends=backends, outcomes={"framework": failed})
    found = list(keras_settings(facts))
    if not is_importable(facts.backends.chosen):  # also as tensorflow-cpu, or by another name
        found += backend_missing(facts)
    for finding in found:
        if finding.severity == "broken":
            raise UserError(
                f"{finding.what} {finding.why}", tr("To do: {remedy}", remedy=finding.remedy)
            )


def check_accelerator(mode: str, environment: Mapping[str, str] = os.environ) -> None:
    """Check whether `base.accelerator` is available, without importing any of it.

    Raises:
        UserError: a package is missing, or it does not support the backend.
    """
    if mode == "none":
        return
    missing = [n for n in ACCELERATOR_PACKAGES[mode] if importlib.util.find_spec(n) is None]
    if missing:
        raise UserError(
            tr(
                "base.accelerator is {mode}, which needs {missing}: not installed.",
                mode=mode,
                missing=tr(" and ").join(missing),
            ),
            tr(
                "Install it: {pip_install}. Or use Keras: --set base.accelerator=none",
                pip_install=pip_install("cpu"),
            ),
        )
    backend = chosen_backend(environment)
    if backend != "tensorflow":
        raise UserError(
            tr(
                "base.accelerator is {mode}, which reads networks of the TensorFlow "
                "backend; this is {backend}.",
                mode=mode,
                backend=safe_text(backend, 40),
            ),
            tr("Use Keras: --set base.accelerator=none"),
        )


def gpu_notes(spec: ExperimentSpec, choice: GpuChoice) -> list[str]:
    """Return the GPU that a run uses, who holds its memory, what it was not tried with.

    [] for the CPU.
    """
    if choice.gpu is None:
        return []
    free = tr(
        "{memory_free} of {memory_total} free",
        memory_free=format_gib(choice.memory_free),
        memory_total=format_gib(choice.memory_total),
    )
    found = [f"GPU {choice.gpu.index}, {safe_text(choice.device_name)}, {free}"]
    return [*found, *filter(None, (_held_by(choice), _untried(spec, choice)))]


def _untried(spec: ExperimentSpec, choice: GpuChoice) -> str:
    """Return how to find out whether the GPU trains faster in other ways; "" where it is known."""
    environment = backend_environment(spec.training.backend, os.environ)
    training, trial = spec.training, load_trial(choice.device_name, environment)
    capability = choice.gpu.compute_capability if choice.gpu else None
    jit = decide_jit(chosen_backend(environment), "gpu", training.deterministic, trial)
    precision = decide_precision(has_tensor_cores(capability), trial)
    names = ["XLA"] if training.jit == "auto" and jit.untried else []
    if training.precision == "auto" and precision.untried:
        names.append(tr("half precision"))
    if not names:
        return ""
    return tr(
        "Trains without {names}, not tried on this GPU yet: workbench check --measure",
        names=tr(" and ").join(names),
    )


def require_gpu_memory(spec: ExperimentSpec, classes: int, choice: GpuChoice) -> None:
    """Check that the GPU's free memory can hold the training.

    Raises:
        UserError: it certainly cannot.
    """
    if choice.gpu is None or not choice.memory_total:
        return
    needed = certain_memory(spec, classes)
    if needed <= choice.memory_free:
        return
    batch = max(spec.training.batch_size // 2, 1)
    raise UserError(
        tr(
            "Training needs {needed} or more, and GPU {index} has {memory_free} free. {choice}",
            needed=format_gib(needed),
            index=choice.gpu.index,
            memory_free=format_gib(choice.memory_free),
            choice=_held_by(choice),
        ).rstrip(),
        tr(
            "Let the run wait until it is free (--wait); or use a smaller "
            "batch (training.batch_size = {batch}), the freest GPU "
            "(training.gpu = auto, --gpu auto) or the CPU (training.gpu = none, "
            "--gpu none).",
            batch=batch,
        ),
    )


def certain_memory(spec: ExperimentSpec, classes: int) -> int:
    """Return the bytes of a GPU that the training certainly needs."""
    return int(CERTAIN_SHARE * max(cost.memory_bytes for cost in stage_costs(spec, classes)))


def _check_gpus(spec: ExperimentSpec, environment: Mapping[str, str]) -> tuple[GpuChoice, ...]:
    """Check that the requested GPUs exist; without querying the driver where any one will do."""
    requested, count = spec.training.gpu, spec.training.devices
    if count == 1 and requested in (AUTO, NONE):
        return (GpuChoice(),)
    return find_gpus(requested, count, None, environment)


def _held_by(choice: GpuChoice) -> str:
    """Return a sentence on who holds memory of the GPU; "" where nobody does."""
    holders = describe_holders(choice)
    return tr("Its memory is held by {holders}.", holders=holders) if holders else ""


def is_importable(backend: str) -> bool:
    """Return whether a module that can train could be imported."""
    found = importlib.util.find_spec(backend) if backend in TRAINABLE else None
    return found is not None and found.origin is not None
