"""Start, resume and stop runs, with the checks before them.

The checks and the demo import numpy; they are imported where they are used, since the app opens
Home with this module and without numpy.
"""

import os
import shutil
import time
from collections.abc import Callable, Collection, Sequence

from workbench.errors import UserError
from workbench.experiment.batch_size import halve_batch_size, set_batch_size
from workbench.experiment.deadline import BUDGET_KEY, DEADLINE_KEY
from workbench.experiment.presets import preset_tree
from workbench.experiment.resuming import check_change, with_deadline
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, dump_spec, parse_spec, read_spec, spec_tree
from workbench.machine.facts import NvmlReport
from workbench.machine.gpus import GpuChoice
from workbench.machine.probe import LoadAdjustedClock
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.runs.folder import MAX_STEM_LENGTH, RunFolder, create_run, list_runs
from workbench.runs.launch import launch
from workbench.runs.lock import is_locked
from workbench.runs.process import WarmWorker
from workbench.runs.slots import device_of, devices_in_use
from workbench.runs.slurm_queue import is_open
from workbench.runs.tickets import NotWritable, is_waiting
from workbench.text import safe_text
from workbench.words import reason_of

STOP_SECONDS = 60.0  # for a worker to finish its step and save
DEMO = ("dense", "convnet")
DEMO_SHIFT = 2  # pixels by which test digits are moved as well

Notify = Callable[[str], None]
_CORRECTED = "-corrected"


def ignore(message: str) -> None:
    """Show no message."""


def start_run(
    workspace: Workspace,
    spec: ExperimentSpec,
    stem: str,
    notify: Notify = ignore,
    queue: bool = False,
    warm: WarmWorker | None = None,
    environment: dict[str, str] | None = None,
    progress: Progress = silent,
    warn: Notify = ignore,
    queue_hint: str = "",
) -> RunFolder:
    """Check that a run can start, make its folder and start its worker.

    Takes a second or more with many images or a slow driver: call it in a thread.

    Args:
        workspace: of the run.
        spec: validated; its paths are absolute.
        stem: the name of a run whose spec has none, without its number.
        notify: called with the GPU and with what else uses it; not for a queued run, since both
            may be different when it starts.
        queue: True to wait for a device that no run uses.
        warm: a worker that may have been started already.
        environment: variables set for the worker beyond this process's own.
        progress: called while the images are listed.
        warn: called with doubts about the layout of the images.
        queue_hint: how to wait for other runs, added to the note on them.

    Raises:
        UserError: the images, the weights or the GPU are not usable, the name is taken, or the
            disk cannot be written; nothing is left of the run.
    """
    from workbench.machine.preflight import check_before_start

    variables = {**os.environ, **(environment or {})}
    choices = check_before_start(spec, workspace, queue, progress, warn, variables)
    if not queue:
        for note in _start_notes(workspace, spec, choices, queue_hint):
            notify(note)
    return launch_new_run(workspace, spec, stem, queue, warm, environment, choices[0].report)


def launch_new_run(
    workspace: Workspace,
    spec: ExperimentSpec,
    stem: str,
    queue: bool = False,
    warm: WarmWorker | None = None,
    environment: dict[str, str] | None = None,
    report: NvmlReport | None = None,
) -> RunFolder:
    """Make the run's folder, named by the spec or else numbered, and start its worker, unchecked.

    Args:
        workspace: where the run is created.
        spec: of the run.
        stem: base of the name of a run without one; "-corrected" is added for corrected labels.
        queue: True if it waits for a device that no run uses.
        warm: a worker on standby.
        environment: variables of the worker in addition to those of this process.
        report: what NVML just reported, for the worker.

    Raises:
        UserError: The name is taken, no process can be started, or the disk cannot be written.
            Nothing of the run remains.
    """
    folder = make_folder(workspace, spec, stem)
    try:
        launch(folder, queue=queue, warm=warm, environment=environment, gpu_report=_as_json(report))
    except NotWritable:
        shutil.rmtree(folder.path, ignore_errors=True)  # created above, by this process
        raise
    return folder


def make_folder(workspace: Workspace, spec: ExperimentSpec, stem: str) -> RunFolder:
    """Make the folder of a new run; arguments as of `launch_new_run`.

    Raises:
        UserError: The name is taken, or the disk cannot be written.
    """
    if spec.data.corrections:
        stem = stem[: MAX_STEM_LENGTH - len(_CORRECTED)] + _CORRECTED
    try:
        return create_run(workspace, dump_spec(spec), name=spec.name, stem=stem)
    except OSError as error:
        reason = safe_text(reason_of(error))
        raise UserError(
            tr(
                "The run cannot be written in {runs}: {reason}.",
                runs=safe_text(workspace.runs),
                reason=reason,
            ),
            tr("Make room or fix the permissions, or name another workspace with --workspace DIR."),
        ) from None


def _as_json(report: NvmlReport | None) -> str | None:
    return report.model_dump_json() if report else None


def list_training_runs(workspace: Workspace) -> list[RunFolder]:
    """Return the runs of the workspace that train here now, without those that wait."""
    runs = list_runs(workspace)
    return [run for run in runs if is_locked(run.lock_path) and not is_waiting(run)]


def _start_notes(
    workspace: Workspace, spec: ExperimentSpec, choices: Sequence[GpuChoice], queue_hint: str
) -> list[str]:
    """Return what is useful to know before a run starts and does not prevent it."""
    from workbench.machine.preflight import gpu_notes

    used, own = devices_in_use(), (None, *(choice.key for choice in choices))
    others = [run for run in list_training_runs(workspace) if device_of(run, used) in own]
    slower = tr("is training here too; both will be slower{queue_hint}.", queue_hint=queue_hint)
    gpus = dict.fromkeys(note for choice in choices for note in gpu_notes(spec, choice))
    return [*gpus, *(f"{safe_text(run.name)} {slower}" for run in others)]


def start_demo(workspace: Workspace) -> list[RunFolder]:
    """Start a dense baseline on handwritten digits and queue a convnet behind it.

    Needs no network; call it in a thread.

    Raises:
        UserError: as `start_run`, or the digits cannot be written.
    """
    runs: list[RunFolder] = []
    for preset in DEMO:
        spec = demo_spec(workspace, preset)
        runs.append(start_run(workspace, spec, f"demo-{preset}", queue=bool(runs)))
    return runs


def demo_spec(workspace: Workspace, preset: str, progress: Progress = silent) -> ExperimentSpec:
    """Return the spec of one run of the demo.

    Raises:
        UserError: the digits cannot be written.
    """
    from workbench.datasets.prepare import survey
    from workbench.datasets.sources.catalogue import fetch

    source = fetch("digits", workspace, progress)
    tree = preset_tree(preset, str(source), survey(source, progress))
    return parse_spec({**tree, "evaluation": {"shift": DEMO_SHIFT}}, preset)


def resume_run(
    folder: RunFolder,
    settings: tuple[str, ...] = (),
    half_batch: bool = False,
    queue: bool = False,
    environment: dict[str, str] | None = None,
) -> None:
    """Start a worker that continues a run at its last checkpoint. Asks the driver: use a thread.

    Args:
        folder: of a run without a worker.
        settings: KEY=VALUE, of keys that may change in a resumed run.
        half_batch: True to continue with half the batch.
        queue: True to wait for a device that no run uses.
        environment: variables set for the worker beyond this process's own.

    Raises:
        UserError: a setting is not allowed, or the run cannot be trained here.
        RunLocked: the run has a worker.
    """
    from workbench.machine.preflight import check_before_resume

    spec, changed = spec_to_resume(folder, settings, half_batch)
    report = check_before_resume(spec, {**os.environ, **(environment or {})})
    launch(
        folder,
        resume=True,
        queue=queue,
        environment=environment,
        spec=changed,
        gpu_report=_as_json(report),
    )


def spec_to_resume(
    folder: RunFolder, settings: tuple[str, ...], half_batch: bool
) -> tuple[ExperimentSpec, str | None]:
    """Return the spec with which to resume a run, and its text if it differs from the run's own.

    Raises:
        UserError: as `changed_spec`, or the run's own spec is invalid.
    """
    own = read_spec(folder.spec_path)
    spec = changed_spec(own, settings, half_batch) if settings or half_batch else own
    return spec, None if spec == own else dump_spec(spec)


def changed_spec(
    spec: ExperimentSpec, settings: tuple[str, ...] = (), half_batch: bool = False
) -> ExperimentSpec:
    """Return the spec with which to resume a run; the same one without changes.

    Args:
        spec: of the run so far.
        settings: `key.path=value` each; a batch size has to divide the old one.
        half_batch: True for half the batch size.

    Raises:
        UserError: A setting is invalid or may not change, or the batch is one image already.
    """
    changed = parse_spec(apply_settings(spec_tree(spec), settings), "--set")
    given = {setting.partition("=")[0].strip() for setting in settings}
    if BUDGET_KEY in given and DEADLINE_KEY not in given:  # counts from the next session's start
        changed = with_deadline(changed, None)
    size, before = changed.training.batch_size, spec.training.batch_size
    if half_batch and size != before:
        raise UserError(tr("Give either --half-batch or --set training.batch_size, not both."))
    if size != before:
        steps = set_batch_size(spec, size).training.steps_per_epoch  # an epoch keeps its images
        training = changed.training.model_copy(update={"steps_per_epoch": steps})
        changed = changed.model_copy(update={"training": training})
    if half_batch:
        smaller = halve_batch_size(changed)
        if smaller is None:
            raise UserError(
                tr("The batch is one image already and cannot be halved."),
                tr("Start a new run with smaller images or a smaller network."),
            )
        changed = smaller
    check_change(spec, changed)
    return changed


def wait_until_stopped(folders: Collection[RunFolder]) -> list[str]:
    """Wait for runs that were asked to stop; return those still running after STOP_SECONDS."""
    clock = LoadAdjustedClock()
    while running := [
        folder.name for folder in folders if is_locked(folder.lock_path) or is_open(folder)
    ]:
        if clock.read() > STOP_SECONDS:
            return running
        time.sleep(0.1)
    return []
