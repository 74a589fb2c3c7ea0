"""Has a worker train for an answer alone: what it writes meanwhile is removed."""

import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workbench.cli.show import progress_bar, say
from workbench.paths import Workspace

if TYPE_CHECKING:
    from workbench.experiment.spec import ExperimentSpec

Event = dict[str, Any]


def run_in_scratch(
    workspace: Workspace,
    job: str,
    spec: "ExperimentSpec",
    request: dict[str, Any],
    on_event: Callable[[Event], None] = lambda event: None,
) -> dict[str, Any]:
    """Runs a job on a spec, in a temporary folder; shows its progress and notices.

    Args:
        request: beside spec, workspace and scratch.
        on_event: given all other events.

    Raises:
        UserError: the worker's.
    """
    from workbench.experiment.toml import spec_tree
    from workbench.runs.jobs import run_job

    with tempfile.TemporaryDirectory(prefix="workbench-") as scratch, progress_bar() as progress:

        def told(event: Event) -> None:
            if event["event"] == "progress":
                progress(event["phase"], event["done"], event["total"])
            elif event["event"] == "notice":
                say(f"note   {event['message']}", err=True)
            else:
                on_event(event)

        shared = {"spec": spec_tree(spec), "workspace": str(workspace.root), "scratch": scratch}
        return run_job(job, {**shared, **request}, told)
