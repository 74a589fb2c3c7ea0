"""What the Train screen says before the curves of a run, and after them."""

import re
from collections.abc import Callable, Sequence

from rich.text import Text

from workbench.experiment.facts import count_images
from workbench.experiment.metrics import METRICS as TITLES
from workbench.messages import tr
from workbench.render.runs import format_deadline
from workbench.runs.events import WAITING_PHASE
from workbench.runs.history import monitored_scores
from workbench.runs.slurm import resume_arguments
from workbench.runs.state import hint_with_command
from workbench.runs.watch import RunView
from workbench.runs.work_titles import work_title
from workbench.text import pad_cells, safe_lines, safe_text
from workbench.ui.train.text import describe_strategy, track
from workbench.words import shown

PRINTED_LINES = 6  # of a worker that ended without an event


KeyName = Callable[[str], str]  # of the id of a binding


def format_gone(name: str, seen: bool, key: KeyName) -> Text:
    """Return the text for a run that is not among the runs.

    Args:
        name: of the run.
        seen: whether it was there before.
        key: returns the key of a binding by its id.
    """
    shown = safe_text(name, 64)
    if not seen:
        return Text(tr("Loading {shown} ...", shown=shown), style="dim")
    return Text.assemble(
        (tr("{shown} is gone.", shown=shown), "bold"),
        tr(
            "\n\nIts folder was moved or deleted, perhaps by another window. {back} goes back.",
            back=key("train.back"),
        ),
    )


def format_panel(
    view: RunView, width: int, utf8: bool, color: str, key: KeyName, printed: Sequence[str] = ()
) -> Text:
    """Return how the run ended, or what it does before its first epoch; "" between them.

    Args:
        view: the run.
        width: cells.
        color: of the state.
        key: returns the key of a binding by its id.
        printed: the last lines of an interrupted run's worker.
        utf8: whether bars may use more than ASCII.
    """
    word = view.summary.state.phase
    if word == "failed":
        return _failed(view, color, key)
    if word == "interrupted":
        return _interrupted(view, color, key, printed)
    if word == "stopped":
        text = Text(_describe_state(view, key))  # "Stopped on request at 10:00, after epoch 20"
        text.stylize(color, 0, len(re.split("[,:] ", text.plain, maxsplit=1)[0]))
        return text
    if word == "pruned":
        return Text.assemble((tr("Pruned.") + " ", color), _describe_state(view, key))
    if word == "finished":
        return _finished(view, color)
    if word in ("starting", "waiting", "preparing") and not view.history.epochs:
        return _preparation(view, width, utf8, key)
    return Text("")


def _failed(view: RunView, color: str, key: KeyName) -> Text:
    history = view.history
    text = Text.assemble(
        (tr("Failed.") + " ", color), safe_lines(history.message or tr("No reason is known."))
    )
    if history.hint:
        command = " ".join(("workbench", *resume_arguments(view.folder)))
        hint = hint_with_command(history.hint, command)
        text.append(f"\n{safe_lines(hint)}", style="bold")
    if view.summary.state.resumable:
        text.append(f"\n{_describe_resume(view, key)}", style="dim")
    return text


def _describe_resume(view: RunView, key: KeyName) -> str:
    """Return what a key would do: "r resumes with 3 epochs left."."""
    effect = view.summary.state.resume
    resumes = effect.startswith("with ")
    if resumes:
        return tr("{key} resumes {effect}.", key=key("resume"), effect=effect)
    return tr("{key} {effect}.", key=key("resume"), effect=effect)


def _describe_state(view: RunView, key: KeyName) -> str:
    """Return the state of the run, and how it is resumed."""
    state = view.summary.state.description
    return f"{state[:1].upper()}{state[1:]}. {_describe_resume(view, key)}"


def _interrupted(view: RunView, color: str, key: KeyName, printed: Sequence[str]) -> Text:
    text = Text.assemble((tr("Interrupted.") + " ", color), _describe_state(view, key))
    if printed:
        text.append(tr("\nThe last lines it printed:"), style="dim")
        for line in printed[-PRINTED_LINES:]:
            text.append(f"\n  {safe_text(line, 110)}", style="dim")
    return text


def _finished(view: RunView, color: str) -> Text:
    evaluation = view.history.evaluation
    text = Text.assemble((tr("Finished.") + " ", color))
    if evaluation is None or evaluation.accuracy is None:
        return text.append(tr("enter shows the results."))
    if early := view.summary.state.description:
        text.append(f"{early[:1].upper()}{early[1:]}. ")
    text.append(tr("Accuracy {accuracy:.3f}", accuracy=evaluation.accuracy), style="bold")
    images = count_images(evaluation.images, evaluation.split)
    details = tr(" on {images}.", images=images)
    if evaluation.interval:
        low, high = evaluation.interval
        details = tr(
            " ({low:.3f} to {high:.3f} with 95 % confidence) on {images}.",
            low=low,
            high=high,
            images=images,
        )
    for name in monitored_scores(view.history):
        if score := evaluation.scores.get(name):
            details += f" {TITLES[name][:1].upper()}{TITLES[name][1:]} {score.value:.3f}."
    if evaluation.shifted_accuracy is not None:
        details += " " + tr(
            "On shifted images {accuracy:.3f}.", accuracy=evaluation.shifted_accuracy
        )
    return text.append(details + tr(" enter shows the results."))


def _preparation(view: RunView, width: int, utf8: bool, key: KeyName) -> Text:
    """Return the progress before the first epoch, and the facts of the experiment."""
    history, work = view.history, view.history.work
    phase = safe_text(work.phase if work else tr("start the worker"), 60)
    if view.summary.state.phase == "waiting":
        phase = view.summary.state.description or phase
    if phase.startswith(WAITING_PHASE):
        phase = tr("waiting for {what}", what=phase.removeprefix(WAITING_PHASE))
    phase = work_title(phase)
    text = Text.assemble((f"{phase[:1].upper()}{phase[1:]}", "bold"))
    if work and work.total:
        text.append("\n\n").append_text(track(work.done / work.total, min(width - 30, 50), utf8))
        text.append(tr("  {done:,} of {total:,}", done=work.done, total=work.total))
    elif view.summary.state.phase == "waiting":
        text.append(tr("\n\nIt starts by itself when its turn comes."))
    facts = [
        (tr("strategy"), describe_strategy(view)),
        (tr("data"), safe_text(view.summary.data, 50)),
    ]
    if history.labels:
        facts.append((tr("classes"), safe_text(", ".join(history.labels), 56)))
    if history.images:
        counts = [
            tr("{count:,} {split}", count=count, split=shown(split))
            for split, count in history.images.items()
        ]
        facts.append((tr("images"), ", ".join(counts)))
    if deadline := format_deadline(view):
        facts.append((tr("ends"), deadline))
    text.append("\n")
    for label, value in facts:
        text.append(f"\n{pad_cells(label, 10)}", style="dim").append(value)
    text.append(tr("\n\n{key} detaches; the run keeps running.", key=key("detach")), style="dim")
    return text
