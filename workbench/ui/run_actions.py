"""Actions on a run: compare, stop, resume, restore; each asks what has to be decided."""

import time
from collections.abc import Callable
from typing import Any

from textual.screen import Screen

from workbench.app import run_control, slurm
from workbench.datasets.sources.opening import folder_path
from workbench.errors import UserError
from workbench.experiment.deadline import MOMENTS, NEVER, deadline_settings
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.fields import whole
from workbench.runs.folder import RunFolder
from workbench.runs.slurm import SlurmJob, has_sbatch, read_job
from workbench.runs.state import half_batch, lower_learning_rate
from workbench.runs.stop import stop_runs
from workbench.runs.trash import NameTaken, TrashedRun, restore
from workbench.runs.watch import RunView
from workbench.text import safe_text
from workbench.ui.base import WorkbenchScreen, in_background
from workbench.ui.dialogs import Choose, Confirm, Prompt
from workbench.ui.keys import key_of


def confirm_and_run(
    screen: WorkbenchScreen,
    question: str,
    yes: str,
    action: Callable[[], str],
    then: Callable[[str], None] | None = None,
    harmless: bool = False,
) -> None:
    """Ask for confirmation, then run an action in a thread.

    Args:
        screen: in front.
        question: plain text.
        yes: label of the button that confirms.
        action: returns a message about its result.
        then: receives the message; by default it is shown as a notification.
        harmless: as of `Confirm`.
    """

    def answered(sure: bool | None) -> None:
        if sure:
            in_background(screen, action, then or screen.notify)

    screen.app.push_screen(Confirm(question, yes, harmless), answered)


def compare_run(screen: WorkbenchScreen, view: RunView) -> None:
    """Ask which runs to compare with this one, and show the comparison."""
    from workbench.ui.pick_run import PickRuns

    others = [one for one in screen.workbench.runs if one.name != view.name]

    def answered(names: tuple[str, ...] | None) -> None:
        if names:
            screen.workbench.open("compare", (view.name, *names))

    question = tr("Compare {view} with which runs?", view=view.name)
    screen.app.push_screen(PickRuns(question, view, others), answered)


def stop_run(
    screen: WorkbenchScreen, view: RunView, then: Callable[[str], None] | None = None
) -> None:
    """Ask for confirmation, then request a stop; `then` as in `confirm_and_run`."""

    def stop() -> str:
        if stop_runs([view.folder]):
            return tr("The job of {view_name} is cancelled.", view_name=safe_text(view.name))
        return tr("{view_name} saves a checkpoint and ends.", view_name=safe_text(view.name))

    question = tr(
        "Stop {view}? Everything is saved, and {resume} resumes it.",
        view=view.name,
        resume=key_of(screen, "resume"),
    )
    confirm_and_run(screen, question, tr("Stop"), stop, then, harmless=True)


def resume_run(screen: Screen[Any], view: RunView, then: Callable[[object], None]) -> None:
    """Resume a run at its last checkpoint.

    Ask first where its worker may still run on another machine, after its deadline for a new one,
    and after a failure that would occur again: with half the batch, with a lower learning rate?
    Ask at last whether a run that was a job of SLURM becomes one again.

    Args:
        screen: in front.
        view: the run.
        then: called once there is a worker.
    """
    state, failure = view.summary.state, view.history.failure
    deadline = whole(view.table("training").get("deadline"))
    smaller, lower = half_batch(view.spec), lower_learning_rate(view.spec, view.history)

    def resume(settings: tuple[str, ...] = (), half: bool = False) -> None:
        def find_job() -> SlurmJob | None:
            job = read_job(view.folder)  # it knew a cluster, which may be slow or down now
            return job if job and has_sbatch() else None

        def here() -> object:
            run_control.resume_run(view.folder, settings, half)
            return None

        def ask(job: SlurmJob | None) -> None:
            if not screen.is_current:  # it was asked already, or left
                return
            if job is None:
                in_background(screen, here, then)
                return

            def submit() -> object:
                name, profile = slurm.choose_profile(job.profile)
                return slurm.resubmit_run(view.folder, profile, name, settings, half)

            def place_chosen(answer: str | None) -> None:
                if answer is not None:
                    in_background(screen, submit if answer == "s" else here, then)

            question = tr("{run} was a job of SLURM. Resume it there?", run=view.name)
            places = {"s": "SLURM", "h": tr("Here")}
            screen.app.push_screen(Choose(question, places), place_chosen)

        in_background(screen, find_job, ask)

    def check_deadline(answer: str) -> str:
        deadline_settings(answer, time.time())
        return answer

    def deadline_typed(answer: str | None) -> None:
        if answer is not None:
            resume(deadline_settings(answer, time.time()))

    def ended(yes: bool | None) -> None:
        if yes:
            resume()

    def batch_chosen(answer: str | None) -> None:
        if answer is not None:
            resume(half=answer == "h")

    def rate_typed(answer: str | None) -> None:
        if answer is not None and lower:
            resume((f"{lower[0]}={answer}",))

    if state.other_host:
        question = tr(
            "{view} was last running {description}. Its lock cannot be seen from here, "
            "and two workers would damage it. Has it ended?",
            view=view.name,
            description=state.description,
        )
        screen.app.push_screen(Confirm(question, tr("It has")), ended)
    elif deadline and deadline <= time.time():
        question = tr(
            "The deadline of {view} is over. A new one, {moments}:", view=view.name, moments=MOMENTS
        )
        screen.app.push_screen(Prompt(question, NEVER, check_deadline), deadline_typed)
    elif failure == "memory" and smaller:
        answers = {"h": tr("Half, {smaller}", smaller=smaller), "a": tr("As it is")}
        question = tr(
            "{view} ran out of memory. Resume with half the batch, {smaller}, or with "
            "the batch as it is?",
            view=view.name,
            smaller=smaller,
        )
        screen.app.push_screen(Choose(question, answers), batch_chosen)
    elif failure == "diverged" and lower:
        key, rate = lower
        question = tr("{view} has diverged. Resume with which {key}?", view=view.name, key=key)

        def check_rate(answer: str) -> str:
            run_control.spec_to_resume(view.folder, (f"{key}={answer}",), False)
            return answer

        screen.app.push_screen(Prompt(question, f"{rate:g}", check_rate), rate_typed)
    else:
        resume()


def restore_run(screen: Screen[Any], workspace: Workspace, run: TrashedRun) -> None:
    """Restore a deleted run; ask for a new name where another run has its name now.

    Args:
        screen: in front.
        workspace: of the run.
        run: the deleted run.
    """

    def work() -> RunFolder | None:
        try:
            return restore(workspace, run)
        except NameTaken:
            return None

    def rename(chosen: str) -> str:
        try:
            return restore(workspace, run, chosen.strip()).name
        except NameTaken as error:
            raise UserError(error.message) from None

    def restored(name: str | None) -> None:
        if name is not None:
            screen.app.clear_notifications()  # such as that it is in the trash
            screen.notify(tr("{folder_name} is restored.", folder_name=safe_text(name)))

    def done(folder: RunFolder | None) -> None:
        if folder:
            restored(folder.name)
            return
        question = tr(
            "There is another run {taken} now. A new name for the deleted one:", taken=run.name
        )
        screen.app.push_screen(Prompt(question, f"{run.name}-old", rename), restored)

    in_background(screen, work, done)


def ask_to_label(screen: WorkbenchScreen, run: str) -> None:
    """Ask for a folder of images without labels, and label it.

    Args:
        screen: in front.
        run: whose images have labels.
    """

    def typed(folder: str | None) -> None:
        if folder:
            screen.workbench.open("label", run, folder)

    def check(folder: str) -> str:
        if folder := folder.strip():
            folder_path(folder)
        return folder

    question = tr("A folder of images to label, beside those of {run}:", run=run)
    screen.app.push_screen(Prompt(question, take=check), typed)
