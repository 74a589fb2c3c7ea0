"""What the Train screen says of a run, as text. Pure: no widget, no clock, no disk."""

import textwrap
from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from workbench.app.run_progress import place, time_left
from workbench.experiment.advice import Advice
from workbench.render.compare_curves import OTHER_DATA, same_data
from workbench.render.curves import OVERLAY
from workbench.render.marks import sign
from workbench.runs.history import History
from workbench.runs.rows import EpochRow, Notice, StageRow, Work
from workbench.runs.watch import RunView
from workbench.text import human_seconds, safe_text

LABEL = 8  # cells of the words at the left side
NAME = 24  # cells of a run's name in the heading, at least
Lines = tuple[Text, ...]


def labelled(label: str, text: Text | str) -> Text:
    """A line with its word at the left side."""
    return Text.assemble((f"{label:<{LABEL}}", "dim"), text, no_wrap=True)


def heading(view: RunView, width: int, utf8: bool, color: str) -> Text:
    """Run, state, place, time left and strategy; the strategy goes where there is no room.

    What the others leave is the name's.
    """
    word = view.summary.state.word
    state = Text(f"{word} {sign(word, utf8)}", style=color)
    left, where = Text(time_left(view)), Text(place(view))
    room = width - _width([state, where, left]) - 2
    name = Text(safe_text(view.name, max(room, NAME)), style="bold")
    strategy = Text(strategy_words(view), style="dim")
    data = view.spec.get("data")
    if isinstance(data, dict) and data.get("corrections"):
        strategy.append(", corrected data")
    middle = [name, state, where, strategy]
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


def strategy_words(view: RunView) -> str:
    """The preset, or the strategy where there is none, and the base, if there is one."""
    base = view.spec.get("base")
    name = base.get("name") if isinstance(base, dict) else None
    return safe_text(view.summary.recipe, 28) + (f", {safe_text(name, 20)}" if name else "")


def other_line(view: RunView, other: RunView, width: int) -> Text:
    """Which run's curves lie behind this one's."""
    said = f"{strategy_words(other)}, validation"
    if not same_data(view, other):
        said += f", {OTHER_DATA}"
    name = safe_text(other.name, max(width - LABEL - len(said) - 2, NAME))
    return labelled(OVERLAY, Text.assemble(name, (f"  {said}", "dim")))


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


def notice_line(notices: Sequence[Notice], now: float, width: int, style: str) -> Text:
    """When the newest notice was told, what it says, and how many there are.

    Args:
        now: unix seconds.
    """
    if not notices:
        return Text("")
    newest = notices[-1]
    told = "" if newest.time is None else time_of_day(newest.time, now)
    more = f" (newest of {len(notices)})" if len(notices) > 1 else ""
    words = Text(safe_text(newest.message, 400), style=style)
    words.truncate(max(width - LABEL - len(told) - 2 - len(more), 20), overflow="ellipsis")
    when = (f"{told}  " if told else "", "dim")
    return labelled("notice", Text.assemble(when, words, (more, "dim")))


def time_of_day(time: float, now: float) -> str:
    """When something was told, here: 14:03:22, another day's 2026-02-24 14:03:22; "" if never.

    Args:
        time, now: unix seconds.
    """
    try:
        told, today = datetime.fromtimestamp(time), datetime.fromtimestamp(now).date()
    except (ValueError, OverflowError, OSError):  # beyond what a calendar has
        return ""
    return f"{told:%H:%M:%S}" if told.date() == today else f"{told:%Y-%m-%d %H:%M:%S}"
