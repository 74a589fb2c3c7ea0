"""What the Train screen says beside the curves: how a run ended, or what comes before the first."""

from collections.abc import Sequence

from rich.text import Text

from workbench.runs.outcome import hint_for
from workbench.runs.rows import WAITING_PHASE
from workbench.runs.watch import RunView
from workbench.text import plural, safe_lines, safe_text
from workbench.ui.train.text import strategy_words, track

PRINTED_LINES = 6  # of a worker that ended without a word


def gone_text(name: str, seen: bool) -> Text:
    """Instead of everything else where the run is not among the runs."""
    shown = safe_text(name, 64)
    if not seen:
        return Text(f"Looking for {shown} ...", style="dim")
    return Text.assemble(
        (f"{shown} is gone.", "bold"),
        "\n\nIts folder was moved or deleted, by another window perhaps. q goes back.",
    )


def panel_text(
    view: RunView, width: int, utf8: bool, color: str, printed: Sequence[str] = ()
) -> Text:
    """What there is to say beside the curves: how it ended, or what it does before the first.

    Args:
        printed: the last lines of an interrupted run's worker.
    """
    word = view.summary.state.word
    if word == "failed":
        return _failed(view, color)
    if word == "interrupted":
        return _interrupted(view, color, printed)
    if word == "stopped":
        return Text.assemble(("Stopped. ", color), _became(view))
    if word == "finished":
        return _finished(view, color)
    if word in ("starting", "waiting", "preparing") and not view.history.epochs:
        return _before(view, width, utf8)
    return Text("")


def _failed(view: RunView, color: str) -> Text:
    history = view.history
    text = Text.assemble(("Failed. ", color), safe_lines(history.message or "It told no reason."))
    if history.hint:
        hint = hint_for(history.hint, f"workbench resume {view.name}")
        text.append(f"\n{safe_lines(hint)}", style="bold")
    if view.summary.state.resumable:
        text.append(f"\n{_key_words(view)}", style="dim")
    return text


def _key_words(view: RunView) -> str:
    """What the key r would do: "r goes on at epoch 5."."""
    words = view.summary.state.resume
    return f"r goes on {words}." if words.startswith("with ") else f"r {words}."


def _became(view: RunView) -> str:
    """What became of the run, and what the key r would do."""
    told = view.summary.state.told
    return f"{told[:1].upper()}{told[1:]}. {_key_words(view)}"


def _interrupted(view: RunView, color: str, printed: Sequence[str]) -> Text:
    text = Text.assemble(("Interrupted. ", color), _became(view))
    if printed:
        text.append("\nThe last it printed:", style="dim")
        for line in printed[-PRINTED_LINES:]:
            text.append(f"\n  {safe_text(line, 110)}", style="dim")
    return text


def _finished(view: RunView, color: str) -> Text:
    evaluation = view.history.evaluation
    text = Text.assemble(("Finished. ", color))
    if evaluation is None or evaluation.accuracy is None:
        return text.append("R shows the results.")
    text.append(f"Accuracy {evaluation.accuracy:.3f}", style="bold")
    said = ""
    if evaluation.interval:
        low, high = evaluation.interval
        said += f" ({low:.3f} to {high:.3f} with 95 % confidence)"
    said += f" on {plural(evaluation.images, evaluation.split + ' image')}."
    if evaluation.shifted_accuracy is not None:
        said += f" On shifted images {evaluation.shifted_accuracy:.3f}."
    return text.append(said + " R shows the results.")


def _before(view: RunView, width: int, utf8: bool) -> Text:
    """Before the first epoch: what is done, and what is known of the experiment."""
    history, work = view.history, view.history.work
    phase = safe_text(work.phase if work else "start the worker", 60)
    if phase.startswith(WAITING_PHASE):
        phase = f"waiting for {phase.removeprefix(WAITING_PHASE)}"
    text = Text.assemble((f"{phase[:1].upper()}{phase[1:]}", "bold"))
    if work and work.total:
        text.append("\n\n").append_text(track(work.done / work.total, min(width - 30, 50), utf8))
        text.append(f"  {work.done:,} of {work.total:,}")
    elif view.summary.state.word == "waiting":
        text.append("\n\nIt begins by itself when its turn comes.")
    facts = [("strategy", strategy_words(view)), ("data", safe_text(view.summary.data, 50))]
    if history.labels:
        facts.append(("classes", safe_text(", ".join(history.labels), 56)))
    if history.images:
        counted = ", ".join(f"{count:,} {safe_text(split, 12)}" for split, count in
                            history.images.items())  # fmt: skip
        facts.append(("images", counted))
    text.append("\n")
    for label, said in facts:
        text.append(f"\n{label:<10}", style="dim").append(said)
    text.append("\n\nq leaves this screen; the run goes on without it.", style="dim")
    return text
