"""Starting a run: a folder of its own and a worker in it."""

import shutil

from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import dump_spec
from workbench.paths import Workspace
from workbench.runs.folder import LONGEST_STEM, RunFolder, create_run, list_runs
from workbench.runs.launch import NotWritable, launch
from workbench.runs.lock import is_locked
from workbench.runs.queue import is_waiting
from workbench.runs.standby import WarmWorker
from workbench.text import safe_text

_CORRECTED = "-corrected"


def others_at_work(workspace: Workspace) -> list[RunFolder]:
    """Runs of this workspace that train here at this moment; those that wait are left out."""
    return [
        run
        for run in list_runs(workspace)
        if is_locked(run.lock_path) and not is_waiting(run)
    ]  # fmt: skip


def start(
    workspace: Workspace,
    spec: ExperimentSpec,
    stem: str,
    queue: bool = False,
    warm: WarmWorker | None = None,
    environment: dict[str, str] | None = None,
) -> RunFolder:
    """Makes the run's folder, named by the spec or else numbered, and starts its worker.

    Args:
        stem: what a nameless run is called after; one on corrected data says so in its name.
        queue: True to have it wait for the runs that are at work or queued already.
        warm: a worker that may have been started already.
        environment: variables set for the worker beyond this process's own.

    Raises:
        UserError: the name is taken, no process can be started, or the disk cannot be written:
            nothing is left of the run then.
    """
    if spec.data.corrections:
        stem = stem[: LONGEST_STEM - len(_CORRECTED)] + _CORRECTED
    try:
        folder = create_run(workspace, dump_spec(spec), name=spec.name, stem=stem)
    except OSError as error:
        reason = safe_text(error.strerror or error)
        raise UserError(
            f"The run cannot be written in {safe_text(workspace.runs)}: {reason}.",
            "Make room or mend the permissions, or name another workspace with --workspace DIR.",
        ) from None
    try:
        launch(folder, queue=queue, warm=warm, environment=environment)
    except NotWritable:
        shutil.rmtree(folder.path, ignore_errors=True)  # made a moment ago, and by us
        raise
    return folder
