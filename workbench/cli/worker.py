"""Runs and jobs started from the command line, with their progress in the terminal."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.cli.group import note_running
from workbench.cli.output import echo, progress_bar
from workbench.paths import Workspace

if TYPE_CHECKING:
    from workbench.app.jobs import JobEvent
    from workbench.experiment.spec import ExperimentSpec
    from workbench.runs.folder import RunFolder


def launch_run(
    workspace: Workspace,
    spec: "ExperimentSpec",
    stem: str = "",
    queue: bool = False,
    environment: dict[str, str] | None = None,
) -> "RunFolder":
    """Check that a run can start, and start it; a nameless one is named after `stem` or its data.

    Raises:
        UserError: as `start_run`.
    """
    from workbench.app.draft import data_stem
    from workbench.app.run_control import start_run

    stem = stem or data_stem(workspace, Path(spec.data.source))
    doubts: list[str] = []
    notes: list[str] = []
    try:
        with progress_bar() as progress:
            folder = start_run(
                workspace, spec, stem, notes.append, queue, environment=environment,
                progress=progress, warn=doubts.append, queue_hint=" (--queue waits)",
            )  # fmt: skip
            note_running(workspace, folder)
            return folder
    finally:  # below the bar, also after an error
        for doubt in doubts:
            echo(f"warning {doubt}", err=True)
        for note in notes:
            label = "gpu" if note.startswith("GPU ") else "note"
            echo(f"{label:<6} {note}", err=True)


def run_job(job: str, request: dict[str, Any]) -> dict[str, Any]:
    """Let a worker do a job, and show its progress.

    Raises:
        UserError: the job failed.
    """
    from workbench.app import jobs
    from workbench.app.jobs import report_progress

    with progress_bar() as progress:
        return jobs.run_job(job, request, report_progress(progress))


def run_trial(
    workspace: Workspace,
    job: str,
    spec: "ExperimentSpec",
    request: dict[str, Any],
    on_event: Callable[["JobEvent"], None] = lambda event: None,
) -> dict[str, Any]:
    """Let a worker train on a spec without making a run; show its progress and notices.

    All other events go to `on_event`.

    Raises:
        UserError: as `run_trial_job`.
    """
    from workbench.app.jobs import report_progress, run_trial_job

    def handle(event: "JobEvent") -> None:
        if event["event"] == "notice":
            echo(f"note   {event['message']}", err=True)
        else:
            on_event(event)

    with progress_bar() as progress:
        return run_trial_job(workspace, job, spec, request, report_progress(progress, handle))
