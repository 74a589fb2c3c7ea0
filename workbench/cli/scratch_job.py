"""Has a worker train for an answer alone, with its progress in the terminal."""

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
    """Runs a job on a spec; shows its progress and notices.

    Args:
        request: beside the spec.
        on_event: given all other events.

    Raises:
        UserError: as `look_before_training`, or the worker's.
    """
    from workbench.experiment.toml import spec_tree
    from workbench.machine.preflight import look_before_training
    from workbench.runs import jobs

    look_before_training(spec)
    with progress_bar() as progress:

        def told(event: Event) -> None:
            if event["event"] == "progress":
                progress(event["phase"], event["done"], event["total"])
            elif event["event"] == "notice":
                say(f"note   {event['message']}", err=True)
            else:
                on_event(event)

        return jobs.run_in_scratch(workspace, job, {"spec": spec_tree(spec), **request}, told)
