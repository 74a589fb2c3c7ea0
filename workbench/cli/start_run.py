"""Beginning a run from the command line: what it is called, and what is looked at before."""

from pathlib import Path
from typing import TYPE_CHECKING

from workbench.cli.show import say
from workbench.paths import Workspace

if TYPE_CHECKING:
    from workbench.experiment.spec import ExperimentSpec
    from workbench.runs.folder import RunFolder


def launch_run(
    workspace: Workspace,
    spec: "ExperimentSpec",
    stem: str,
    queue: bool = False,
    environment: dict[str, str] | None = None,
) -> "RunFolder":
    """Makes the run's folder, named by the spec or else numbered, and starts its worker.

    Args:
        queue: True to have it wait for the runs that are at work or queued already.
        environment: variables set for the worker beyond this process's own.

    Raises:
        UserError: as `look_before_start`, the name is taken, or the disk cannot be written;
            nothing has been made then.
    """
    from workbench.cli.machine import look_before
    from workbench.runs.start import others_at_work, start

    look_before(spec, queue)
    for other in others_at_work(workspace) if not queue else []:
        say(
            f"note   {other.name} is training here too; both will be slower (--queue waits)",
            err=True,
        )
    return start(workspace, spec, stem, queue, environment=environment)


def data_stem(workspace: Workspace, spec: "ExperimentSpec") -> str:
    """What a nameless run is called after: its data, by the name people know it by."""
    source = Path(spec.data.source)
    if source.is_relative_to(workspace.data):  # a set of the catalogue: data/digits/source
        return source.relative_to(workspace.data).parts[0]
    return source.stem
