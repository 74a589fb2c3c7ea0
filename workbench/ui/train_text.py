"""What the Train screen says of a run, as text. Pure: no widget, no clock, no disk."""

import textwrap
from collections.abc import Sequence

from rich.text import Text

from workbench.experiment.advice import Advice
from workbench.runs.history import History
from workbench.runs.rows import WAITING_PHASE, EpochRow, StageRow, Work, whole
from workbench.text import human_seconds, plural, safe_lines, safe_text
from workbench.ui.curves import stage_plan, training_table
from workbench.ui.feed import RunView
from workbench.ui.marks import sign

LABEL = 8  # cells of the words at the left side
RECENT_EPOCHS = 3  # whose seconds tell those of the next ones
NAME = 24  # cells of a run's name in the heading
PRINTED_LINES = 6  # of a worker that ended without a word
Lines = tuple[Text, ...]


def labelled(label: str, text: Text | str) -> Text:
    """A line with its word at the left side."""
    return Text.assemble((f"{label:<{LABEL}}", "dim"), text, no_wrap=True)


def heading(view: RunView, width: int, utf8: bool, color: str) -> Text:
    """Run, state, strategy, place and time left; the strategy goes where there is no room."""
    word = view.summary.state.word
    state = Text(f"{word} {sign(word, utf8)}", style=color)
    name = Text(safe_text(view.name, NAME), style="bold")
    left = Text(time_left(view))
    strategy = Text(_strategy(view), style="dim")
    middle = [name, state, Text(place(view)), strategy]
    while len(middle) > 2 and _width(middle) + left.cell_len + 2 > width:
        middle.pop()
    text = Text("  ").join(part for part in middle if part.plain)
    text.append(" " * max(width - text.cell_len - left.cell_len, 2))
    text.append_text(left)
    text.no_wrap = True
    return text


def track(share: float, cells: int, utf8: bool) -> Text:
    """A bar on a line that shows how long it can become."""
    full = round(min(max(share, 0.0), 1.0) * cells)
    done, rest = ("━", "─") if utf8 else ("#", ".")
    return Text.assemble((done * full, "bold"), (rest * (cells - full), "dim"))


def _width(parts: Sequence[Text]) -> int:
    return sum(part.cell_len + 2 for part in parts)


def _strategy(view: RunView) -> str:
    base = view.spec.get("base")
    name = base.get("name") if isinstance(base, dict) else None
    return safe_text(view.summary.strategy, 24) + (f", {safe_text(name, 20)}" if name else "")


def place(view: RunView) -> str:
    """Where the run is in its plan: "stage 2/2  epoch 17/30"; how far it came once it ended."""
    history = view.history
    stage = newest_stage(history)
    if stage is None:
        return ""
    if view.summary.state.word in ("finished", "evaluating"):
        return plural(len(history.epochs), "epoch")
    done = _rows_of(history, stage)
    epoch = done[-1].epoch if done else 0
    if view.working:
        epoch = min(epoch + 1, stage.epochs)
    if history.progress and history.progress.place.stage == stage.index:
        epoch = history.progress.place.epoch
    stages = len(stage_plan(view))
    first = f"stage {stage.index + 1}/{stages}  " if stages > 1 else ""
    return f"{first}epoch {epoch}/{stage.epochs}"


def newest_stage(history: History) -> StageRow | None:
    """The stage that goes on, or that went on last."""
    return history.stages[max(history.stages)] if history.stages else None


def _rows_of(history: History, stage: StageRow) -> list[EpochRow]:
    return [row for row in history.epochs if row.stage == stage.index]


def seconds_left(view: RunView) -> float | None:
    """Of the newest stage: epochs left x seconds of an epoch; None where nothing is known yet."""
    history = view.history
    stage = newest_stage(history)
    if view.summary.state.word != "training" or stage is None:
        return None
    rows = _rows_of(history, stage)
    known = [row.seconds for row in rows[-RECENT_EPOCHS:] if row.seconds is not None]
    pace = sum(known) / len(known) if known else _first_epoch_seconds(history, stage)
    if pace is None:
        return None
    done = float(len(rows))
    progress = history.progress
    if progress and progress.place.stage == stage.index and progress.place.epoch > len(rows):
        if progress.phase == "validation":
            done += 1
        elif progress.steps:
            done += min(progress.place.step / progress.steps, 1.0)
    return max(stage.epochs - done, 0.0) * pace


def _first_epoch_seconds(history: History, stage: StageRow) -> float | None:
    """Seconds of the first epoch by its own pace so far; validation is not in it."""
    progress = history.progress
    batch = whole(stage.event.get("batch_size"))
    if progress is None or not progress.images_per_second or not batch or not progress.steps:
        return None
    return progress.steps * batch / progress.images_per_second


def time_left(view: RunView) -> str:
    """In words; "at most" where the stage may end early."""
    seconds = seconds_left(view)
    if seconds is None:
        return ""
    patience = whole(training_table(view.spec).get("early_stopping"))
    stage = newest_stage(view.history)
    later = stage is not None and stage.index + 1 < len(stage_plan(view))
    said = ("at most " if patience else "") + _short(seconds) + " left"
    return said + (f" in stage {stage.index + 1}" if later and stage else "")


def _short(seconds: float) -> str:
    """A duration without false exactness: 40 s, 12 min, 3 h 12 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{round(seconds / 60)} min" if seconds < 3600 else human_seconds(seconds)


def age(seconds: float) -> str:
    """How long ago, roughly: 40 s, 12 min, 3 h, 2 d."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(int(seconds), 0)} s"


def progress_line(view: RunView, width: int, utf8: bool, stopping: bool) -> Text:
    """How far the epoch, or what is done outside of epochs, has come; "" where nothing is."""
    history = view.history
    if not view.working:
        return Text("")
    if stopping:
        return labelled("stop", Text("asked for: saves a checkpoint and ends", style="bold"))
    if history.work:
        name = safe_text(history.work.phase, 30)
        return labelled(_phase_label(view), _bar_line(history.work, name, width, utf8))
    progress = history.progress
    if progress is None:
        return labelled("epoch", Text("begins", style="dim"))
    rest = [f"{progress.place.step:,}/{progress.steps:,}"]
    if progress.phase == "validation":
        rest.append("validation")
    if progress.images_per_second:
        rest.append(f"{progress.images_per_second:,.0f} images/s")
    if progress.loss is not None:
        rest.append(f"loss {progress.loss:.3f}")
    if progress.accuracy is not None:
        rest.append(f"acc {progress.accuracy:.3f}")
    said = "  ".join(rest)
    share = progress.place.step / progress.steps if progress.steps else 0.0
    cells = min(max(width - LABEL - len(said) - 2, 8), 60)
    return labelled("epoch", Text.assemble(track(share, cells, utf8), "  ", said))


def _phase_label(view: RunView) -> str:
    return {"evaluating": "test", "waiting": "waiting"}.get(view.summary.state.word, "prepare")


def _bar_line(work: Work, name: str, width: int, utf8: bool) -> Text:
    if not work.total:
        return Text(name)
    said = f"{name}, {work.done:,} of {work.total:,}"
    cells = min(max(width - LABEL - len(said) - 2, 8), 40)
    return Text.assemble(track(work.done / work.total, cells, utf8), "  ", said)


def coach_text(advice: Sequence[Advice], width: int, lines: int) -> Text:
    """What the coach says, in so many lines at most; the first piece of advice always.

    What does not fit is said without what to try, or not at all.

    Args:
        width: cells, those of the word at the left side included.
    """
    shown: list[str] = []
    for one in advice:
        whole_piece = one.sentence + (f" Try: {one.next_step}." if one.next_step else "")
        for words in (whole_piece, one.sentence):
            wrapped = textwrap.wrap(words, max(width - LABEL, 20))
            if not shown or len(shown) + len(wrapped) <= lines:
                shown += wrapped
                break
    if not shown:
        return labelled("coach", Text("nothing to remark so far", style="dim"))
    text = labelled("coach", shown[0])
    for line in shown[1:]:
        text.append("\n" + " " * LABEL + line)
    return text


def log_header() -> Text:
    """Above the lines of `log_lines`."""
    columns = (
        f"{'epoch':<9}{'loss':>7}{'acc':>8}{'val loss':>11}{'val acc':>9}{'rate':>10}{'time':>12}"
    )
    return labelled("log", Text(columns, style="dim"))


def log_lines(history: History, count: int) -> Lines:
    """The newest `count` lines: finished epochs, and beginnings of stages where there are more."""
    lines: list[Text] = []
    many = len(history.stages) > 1
    rows = history.epochs[-count:]
    for number, row in enumerate(rows):
        begins = number == 0 or rows[number - 1].stage != row.stage
        if many and begins and row.epoch == 1 and row.stage in history.stages:
            lines.append(_stage_line(history.stages[row.stage]))
        lines.append(_epoch_line(row, row is history.best))
    return tuple(lines[-count:])


def _stage_line(stage: StageRow) -> Text:
    name = safe_text(stage.name, 40)
    return labelled("", Text(f"stage {stage.index + 1}: {name}", style="dim"))


def _epoch_line(row: EpochRow, best: bool) -> Text:
    def figure(value: float | None, digits: str = ".3f") -> str:
        return "-" if value is None else f"{value:{digits}}"

    seconds = "-" if row.seconds is None else human_seconds(row.seconds)
    said = (
        f"{f'{row.epoch}' + (' best' if best else ''):<9}{figure(row.loss):>7}"
        f"{figure(row.accuracy):>8}{figure(row.val_loss):>11}{figure(row.val_accuracy):>9}"
        f"{figure(row.learning_rate, '.1e'):>10}{seconds:>12}"
    )
    return labelled("", Text(said, style="bold" if best else ""))


def notice_line(notices: Sequence[str], width: int, style: str) -> Text:
    """The newest notice, and how many there are."""
    if not notices:
        return Text("")
    more = f" (newest of {len(notices)})" if len(notices) > 1 else ""
    room = max(width - LABEL - len(more), 20)
    newest = Text(safe_text(notices[-1], 400), style=style)
    newest.truncate(room, overflow="ellipsis")
    return labelled("notice", Text.assemble(newest, (more, "dim")))


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
        return Text.assemble(("Stopped. ", color), _resume_words(view))
    if word == "finished":
        return _finished(view, color)
    if word in ("starting", "waiting", "preparing") and not view.history.epochs:
        return _before(view, width, utf8)
    return Text("")


def _failed(view: RunView, color: str) -> Text:
    history = view.history
    text = Text.assemble(("Failed. ", color), safe_lines(history.message or "It told no reason."))
    if history.hint:
        text.append(f"\n{safe_lines(history.hint)}", style="bold")
    if view.summary.state.resumable:
        checkpoint = history.checkpoint
        again = f"goes on at {checkpoint}" if checkpoint else "starts over"
        text.append(f"\nr {again}.", style="dim")
    return text


def _resume_words(view: RunView) -> str:
    """What the key r would do, in the words of the state: "r goes on at epoch 5."."""
    return f"r {safe_text(view.summary.state.detail).removeprefix('resume ')}."


def _interrupted(view: RunView, color: str, printed: Sequence[str]) -> Text:
    text = Text.assemble(
        ("Interrupted. ", color),
        "Its worker ended without a word: it was killed, ran out of memory, or the machine went "
        f"down. {_resume_words(view)}",
    )
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
    facts = [("strategy", _strategy(view)), ("data", safe_text(view.summary.data, 50))]
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
