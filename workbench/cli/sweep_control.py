"""What the commands `ladder` and `sweep` share: stop all runs of one, and queue them again."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from workbench.cli.group import command_line
from workbench.cli.output import echo
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import plural

if TYPE_CHECKING:
    from workbench.experiment.spec import ExperimentSpec
    from workbench.runs.sweep import Sweep


def resume_trials(
    workspace: Workspace,
    chosen: "Sweep",
    environment: dict[str, str],
    changed: "Mapping[int, ExperimentSpec] | None" = None,
) -> None:
    """Queue again what is not finished, and print how many runs that is.

    Args:
        workspace: Of the sweep.
        chosen: Whose trials continue.
        environment: Of the workers, beyond this process's own.
        changed: Specs of trials that continue with another one, by index.

    Raises:
        UserError: A trial cannot be trained here.
    """
    from workbench.machine.preflight import check_before_sweep
    from workbench.runs.sweep import describe_trial, pending_specs, runs_on_other_hosts
    from workbench.runs.sweep_queue import start

    specs = changed or pending_specs(workspace, chosen)
    named = [(describe_trial(chosen.trials[at]), spec) for at, spec in specs.items()]
    check_before_sweep(named, {**os.environ, **environment})
    queued = start(workspace, chosen, environment, changed)
    left = runs_on_other_hosts(workspace, chosen)
    for run in left:
        again = command_line(workspace, "resume", run.name, "--queue")
        echo(
            tr(
                "note   {run_name} last ran {description}. If it has ended: {again}",
                run_name=run.name,
                description=run.state.description,
                again=again,
            )
        )
    if queued or not left:
        echo(f"{plural(len(queued), 'run')} queued." if queued else tr("Nothing is left to do."))


def stop_trials(workspace: Workspace, chosen: "Sweep") -> None:
    """Stop all runs of a sweep and wait for their ends.

    Raises:
        UserError: One is still running after a minute.
    """
    from workbench.app.run_control import wait_until_stopped
    from workbench.runs.sweep_queue import stop_sweep

    stopping = stop_sweep(workspace, chosen)
    if running := wait_until_stopped(stopping):
        raise UserError(
            tr("Asked to stop, but still running: {running}.", running=", ".join(running))
        )
    if stopping:
        again = command_line(workspace, chosen.record.kind, chosen.name, "--resume")
        echo(
            tr(
                "{runs} stopped; everything is saved. Resume: {again}",
                runs=plural(len(stopping), "run"),
                again=again,
            )
        )
    else:
        echo(tr("None of its runs is running."))
