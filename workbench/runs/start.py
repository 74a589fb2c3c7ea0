"""Starting a run: a folder of its own and a worker in it."""

from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import dump_spec
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, create_run, list_runs
from workbench.runs.launch import launch
from workbench.runs.lock import is_locked
from workbench.runs.queue import is_waiting
from workbench.runs.warm import WarmWorker


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
) -> RunFolder:
    """Makes the run's folder, named by the spec or else numbered, and starts its worker.

    Args:
        stem: what a nameless run is called after.
        queue: True to have it wait for the runs that are at work or queued already.
        warm: a worker that may have been started already.

    Raises:
        UserError: the name is taken, or no process can be started.
        OSError: the folder cannot be written.
    """
    folder = create_run(workspace, dump_spec(spec), name=spec.name, stem=stem)
    launch(folder, queue=queue, warm=warm)
    return folder
