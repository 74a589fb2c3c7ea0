"""The lines of the Train screen as text. Pure: no widget, no clock, no disk."""

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from workbench.analysis.curve_advice import CurveAdvice
from workbench.messages import tr
from workbench.render.compared_curves import OTHER_DATA
from workbench.render.curves import OVERLAY
from workbench.render.marks import state_symbol
from workbench.render.runs import format_position, format_time_left
from workbench.runs.events import ChosenGpu, MachineSample, Notice, Work
from workbench.runs.watch import RunView
from workbench.runs.work_titles import work_title
from workbench.text import (
    cell_width,
    format_age,
    format_bytes,
    pad_cells,
    percent,
    safe_text,
    wrap_cells,
)
from workbench.ui.base import WIDE_COLUMNS
from workbench.words import shown

LABEL = 8  # cells of the label at the left
NAME = 24  # cells of a run's name in the heading, at least
BAR = 8  # cells; in a wide terminal


def labelled(label: str, text: Text | str) -> Text:
    """Return a line with its label at the left."""
    return Text.assemble((pad_cells(label, LABEL), "dim"), text, no_wrap=True)


def format_heading(view: RunView, width: int, utf8: bool, color: str) -> Text:
    """Return run, state, position, time left and strategy.

    In a narrow terminal the strategy is left out; the name gets the room that is left.
    """
    word = view.summary.state.phase
    state = Text(f"{shown(word)} {state_symbol(word, utf8)}", style=color)
    left, where = Text(format_time_left(view)), Text(format_position(view))
    room = width - _width([state, where, left]) - 2
    name = Text(safe_text(view.name, max(room, NAME)), style="bold")
    strategy = Text(describe_strategy(view), style="dim")
    data = view.spec.get("data")
    if isinstance(data, dict) and data.get("corrections"):
        strategy.append(tr(", corrected data"))
    middle = [name, state, where, strategy]
    while len(middle) > 2 and _width(middle) + left.cell_len + 2 > width:
        middle.pop()
    text = Text("  ").join(part for part in middle if part.plain)
    text.append(" " * max(width - text.cell_len - left.cell_len, 2))
    text.append_text(left)
    text.no_wrap = True
    return text


def track(share: float, cells: int, utf8: bool) -> Text:
    """Return a bar on a line as long as the full bar."""
    full = round(min(max(share, 0.0), 1.0) * cells)
    done, rest = ("━", "─") if utf8 else ("#", ".")
    return Text.assemble((done * full, "bold"), (rest * (cells - full), "dim"))


def _width(parts: Sequence[Text]) -> int:
    return sum(part.cell_len + 2 for part in parts)


def describe_strategy(view: RunView) -> str:
    """Return the preset, or the strategy if there is none, and the base, if any."""
    base = view.spec.get("base")
    name = base.get("name") if isinstance(base, dict) else None
    return safe_text(view.summary.recipe, 28) + (f", {safe_text(name, 20)}" if name else "")


def overlay_line(view: RunView, other: RunView, width: int) -> Text:
    """Return the name and strategy of the run whose curves are drawn behind."""
    details = tr("{strategy}, validation", strategy=describe_strategy(other))
    if view.source != other.source:
        details += f", {OTHER_DATA}"
    name = safe_text(other.name, max(width - LABEL - cell_width(details) - 2, NAME))
    return labelled(OVERLAY, Text.assemble(name, (f"  {details}", "dim")))


def progress_line(view: RunView, width: int, utf8: bool, stopping: bool) -> Text:
    """Return the progress of the epoch or of another phase; "" if the run is not running."""
    history = view.history
    if not view.running:
        return Text("")
    if stopping:
        return labelled(
            tr("stop"), Text(tr("requested: saves a checkpoint and ends"), style="bold")
        )
    if view.summary.state.phase == "waiting" and not history.work:  # its job is pending
        reason = view.summary.state.description
        return labelled(tr("waiting"), Text(safe_text(reason, max(width - LABEL, 20))))
    if history.work:
        name = safe_text(work_title(history.work.phase), 30)
        return labelled(_phase_label(view), _bar_line(history.work, name, width, utf8))
    progress = history.progress
    if progress is None:
        return labelled(tr("epoch"), Text(tr("starts"), style="dim"))
    rest = [f"{progress.position.step:,}/{progress.steps:,}"]
    if progress.phase == "validation":
        rest.append(tr("validation"))
    if progress.images_per_second:
        rest.append(tr("{count:,.0f} images/s", count=progress.images_per_second))
    if progress.loss is not None:
        rest.append(tr("loss {loss:.3f}", loss=progress.loss))
    if progress.accuracy is not None:
        rest.append(tr("acc {accuracy:.3f}", accuracy=progress.accuracy))
    details = "  ".join(rest)
    share = progress.position.step / progress.steps if progress.steps else 0.0
    cells = min(max(width - LABEL - cell_width(details) - 2, 8), 60)
    return labelled(tr("epoch"), Text.assemble(track(share, cells, utf8), "  ", details))


def _phase_label(view: RunView) -> str:
    return {"evaluating": tr("test"), "waiting": tr("waiting")}.get(
        view.summary.state.phase, tr("prepare")
    )


def _bar_line(work: Work, name: str, width: int, utf8: bool) -> Text:
    if not work.total:
        return Text(name)
    details = tr("{name}, {done:,} of {total:,}", name=name, done=work.done, total=work.total)
    cells = min(max(width - LABEL - cell_width(details) - 2, 8), 40)
    return Text.assemble(track(work.done / work.total, cells, utf8), "  ", details)


def format_coach(advice: Sequence[CurveAdvice], width: int, lines: int) -> Text:
    """Return the advice that fits; the first piece always.

    A piece that does not fit is shortened to its first sentence, or left out.

    Args:
        advice: the most important first.
        width: cells, the label included.
        lines: at most.
    """
    shown: list[str] = []
    for one in advice:
        full = one.sentence + (
            " " + tr("Try: {step}.", step=one.next_step) if one.next_step else ""
        )
        for text in (full, one.sentence):
            wrapped = wrap_cells(text, max(width - LABEL, 20))
            if not shown or len(shown) + len(wrapped) <= lines:
                shown += wrapped
                break
    if not shown:
        return labelled(tr("coach"), Text(tr("no advice so far"), style="dim"))
    return labelled(tr("coach"), ("\n" + " " * LABEL).join(shown))


def notice_line(notices: Sequence[Notice], now: float, width: int, style: str) -> Text:
    """Return time and message of the newest notice, and the number of all.

    Args:
        notices: the oldest first.
        now: unix seconds.
        width: cells of the line.
        style: of the message.
    """
    if not notices:
        return Text("")
    newest = notices[-1]
    when = "" if newest.t is None else format_time_of_day(newest.t, now)
    more = " " + tr("(newest of {count})", count=len(notices)) if len(notices) > 1 else ""
    message = Text(safe_text(newest.message, 400), style=style)
    message.truncate(max(width - LABEL - len(when) - 2 - cell_width(more), 20), overflow="ellipsis")
    return labelled(
        tr("notice"), Text.assemble((f"{when}  " if when else "", "dim"), message, (more, "dim"))
    )


def format_time_of_day(time: float, now: float) -> str:
    """Return a local time: 14:03:22, on another day 2026-02-24 14:03:22; "" if out of range.

    Args:
        time: unix seconds.
        now: unix seconds.
    """
    try:
        then, today = datetime.fromtimestamp(time), datetime.fromtimestamp(now).date()
    except (ValueError, OverflowError, OSError):  # beyond the calendar
        return ""
    return f"{then:%H:%M:%S}" if then.date() == today else f"{then:%Y-%m-%d %H:%M:%S}"


def host_line(machine: MachineSample, checkpoint_age: float | None, width: int, utf8: bool) -> Text:
    """Return CPU, memory and disk, with the age of the last checkpoint at the right.

    Args:
        machine: the newest sample.
        checkpoint_age: seconds; None if there is no checkpoint.
        width: cells of the line.
        utf8: whether bars may use more than ASCII.
    """
    bars = width >= WIDE_COLUMNS
    parts = [
        _share("CPU", machine.cpu, bars, utf8),
        _memory(machine.memory_used, machine.memory_total, bars, utf8),
    ]
    if machine.disk_free is not None:
        parts.append(Text(tr("disk {size} free", size=format_bytes(machine.disk_free))))
    saved = Text(tr("no checkpoint yet"), style="dim")
    if checkpoint_age is not None:
        saved = Text(tr("saved {age} ago", age=format_age(checkpoint_age)))
    text = labelled(tr("host"), Text("  ").join(part for part in parts if part.plain))
    text.append(" " * max(width - text.cell_len - saved.cell_len, 2))
    return text.append_text(saved)


def gpu_line(machine: MachineSample, chosen: ChosenGpu | None, width: int, utf8: bool) -> Text:
    """Return use, memory and temperature of the GPU; "" if the run has none.

    Args:
        machine: the newest sample.
        chosen: the GPU that the run claimed.
        width: cells of the line.
        utf8: whether bars may use more than ASCII.
    """
    gpu = machine.gpu
    if gpu is None:
        return Text("")
    bars = width >= WIDE_COLUMNS
    parts = [
        Text(safe_text(chosen.name if chosen else "", 24)),
        _share(tr("use"), gpu.utilization, bars, utf8),
        _memory(gpu.memory_used, gpu.memory_total, bars, utf8),
    ]
    if gpu.temperature is not None:
        parts.append(Text(f"{gpu.temperature:.0f} {'°C' if utf8 else 'C'}"))
    return labelled(tr("gpu"), Text("  ").join(part for part in parts if part.plain))


def _share(name: str, used: float | None, bars: bool, utf8: bool) -> Text:
    if used is None:
        return Text(f"{name} -")
    return _gauge(name, used / 100, percent(used / 100).rjust(len(percent(1))), bars, utf8)


def _memory(used: float | None, total: float | None, bars: bool, utf8: bool) -> Text:
    if used is None or not total:
        return Text("")
    value = f"{used / 2**30:.1f}/{total / 2**30:.0f} GiB"
    return _gauge(tr("memory"), used / total, value, bars, utf8)


def _gauge(name: str, share: float, value: str, bars: bool, utf8: bool) -> Text:
    text = Text(f"{name} ")
    if bars:
        text.append_text(track(share, BAR, utf8)).append(" ")
    return text.append(value)
