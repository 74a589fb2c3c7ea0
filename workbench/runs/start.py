"""Start a run: a folder of its own and a worker in it. Change the spec of one that is resumed."""

import shutil

from workbench.errors import UserError
from workbench.experiment.batch_size import halve_batch_size, set_batch_size
from workbench.experiment.resuming import check_change
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, dump_spec, parse_spec, spec_tree
from workbench.paths import Workspace
from workbench.runs.folder import MAX_STEM_LENGTH, RunFolder, create_run, list_runs
from workbench.runs.launch import NotWritable, launch
from workbench.runs.lock import is_locked
from workbench.runs.process import WarmWorker
from workbench.runs.queue import is_waiting
from workbench.text import safe_text

_CORRECTED = "-corrected"


def list_training_runs(workspace: Workspace) -> list[RunFolder]:
    """Return the runs of the workspace that train here now, without those that wait."""
    runs = list_runs(workspace)
    return [run for run in runs if is_locked(run.lock_path) and not is_waiting(run)]


def start(
    workspace: Workspace,
    spec: ExperimentSpec,
    stem: str,
    queue: bool = False,
    warm: WarmWorker | None = None,
    environment: dict[str, str] | None = None,
) -> RunFolder:
    """Make the run's folder, named by the spec or else numbered, and start its worker.

    Args:
        workspace: where the run is created.
        spec: of the run.
        stem: base of the name of a run without one; "-corrected" is added for corrected labels.
        queue: True if it waits for runs that are running or queued.
        warm: a worker on standby.
        environment: variables of the worker in addition to those of this process.

    Raises:
        UserError: The name is taken, no process can be started, or the disk cannot be written.
            Nothing of the run remains.
    """
    if spec.data.corrections:
        stem = stem[: MAX_STEM_LENGTH - len(_CORRECTED)] + _CORRECTED
    try:
        folder = create_run(workspace, dump_spec(spec), name=spec.name, stem=stem)
    except OSError as error:
        reason = safe_text(error.strerror or error)
        raise UserError(
            f"The run cannot be written in {safe_text(workspace.runs)}: {reason}.",
            "Make room or fix the permissions, or name another workspace with --workspace DIR.",
        ) from None
    try:
        launch(folder, queue=queue, warm=warm, environment=environment)
    except NotWritable:
        shutil.rmtree(folder.path, ignore_errors=True)  # created above, by this process
        raise
    return folder


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
    size, before = changed.training.batch_size, spec.training.batch_size
    if half_batch and size != before:
        raise UserError("Give either --half-batch or --set training.batch_size, not both.")
    if size != before:
        steps = set_batch_size(spec, size).training.steps_per_epoch  # an epoch keeps its images
        training = changed.training.model_copy(update={"steps_per_epoch": steps})
        changed = changed.model_copy(update={"training": training})
    if half_batch:
        smaller = halve_batch_size(changed)
        if smaller is None:
            raise UserError(
                "The batch is one image already and cannot be halved.",
                "Start a new run with smaller images or a smaller network.",
            )
        changed = smaller
    check_change(spec, changed)
    return changed
