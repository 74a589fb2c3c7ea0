"""The lines of the Train screen as text. Pure: no widget, no clock, no disk."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.text import Text

from workbench.analysis.curve_advice import CurveAdvice
from workbench.experiment.metrics import SHORT_TITLES
from workbench.experiment.stage_titles import stage_title
from workbench.messages import tr
from workbench.render.compared_curves import OTHER_DATA, same_data
from workbench.render.curves import OVERLAY
from workbench.render.marks import state_symbol
from workbench.render.runs import format_position, format_time_left
from workbench.runs.events import (
    ChosenGpu,
    CrossValidated,
    EpochFinished,
    MachineSample,
    Notice,
    TriedValue,
    Work,
)
from workbench.runs.history import History, StageRow, monitored_scores
from workbench.runs.watch import RunView
from workbench.runs.work_titles import work_title
from workbench.text import (
    cell_width,
    format_age,
    format_bytes,
    format_seconds,
    pad_cells,
    percent,
    safe_text,
    wrap_cells,
)
from workbench.ui.base import WIDE_COLUMNS
from workbench.words import shown

LABEL = 8  # cells of the label at the left
# Heads of the log's columns.
LOG_TITLES = {
    "loss": tr("loss"), "acc": tr("acc"), "val loss": tr("val loss"), "val acc": tr("val acc"),
    "rate": tr("rate"), "time": tr("time"),
}  # fmt: skip
NAME = 24  # cells of a run's name in the heading, at least
Lines = tuple[Text, ...]
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
    if not same_data(view, other):
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


def log_header(history: History) -> Text:
    """Return the header of `log_lines`, or of `probe_lines`."""
    if history.probe:
        columns = (
            pad_cells(tr("regularization"), 18)
            + pad_cells(tr("loss"), 10, "r")
            + pad_cells(tr("val acc"), 13, "r")
            + pad_cells(tr("noise"), 10, "r")
        )
        return labelled(tr("log"), Text(columns, style="dim"))
    cells = "".join(
        pad_cells(LOG_TITLES.get(title, title), width, "r")
        for title, width in _log_columns(history).items()
    )
    return labelled(tr("log"), Text(pad_cells(tr("epoch"), 9) + cells, style="dim"))


def _log_columns(history: History) -> dict[str, int]:
    """Return titles and cells; a monitored score has the place of the training accuracy."""
    widths = {"loss": 7, "acc": 8, "val loss": 11, "val acc": 9}
    for name in monitored_scores(history)[:1]:
        widths = {"loss": 7, "val loss": 11, "val acc": 9, SHORT_TITLES[name]: 8}
    widths |= {"rate": 10, "time": 12}
    spare = 4  # cells that a terminal of 80 has beside the columns
    for title in tuple(widths):  # a wide title takes these, then those of the widest columns
        missing = cell_width(LOG_TITLES.get(title, title)) + 2 - widths[title]
        if missing > 0:
            widths[title] += missing
            taken = max(missing - spare, 0)
            spare = max(spare - missing, 0)
            widths["rate"] -= min(taken, 2)
            widths["time"] -= max(taken - 2, 0)
    return widths


def log_lines(history: History, count: int) -> Lines:
    """Return the newest lines: finished epochs, and starts of stages if there are several."""
    lines: list[Text] = []
    several = len(history.stages) > 1
    rows, columns = history.epochs[-count:], _log_columns(history)
    for number, row in enumerate(rows):
        starts = number == 0 or rows[number - 1].stage != row.stage
        if several and starts and row.epoch == 1 and row.stage in history.stages:
            lines.append(_stage_line(history.stages[row.stage]))
        lines.append(_epoch_line(row, columns, row is history.best))
    return tuple(lines[-count:])


def probe_lines(probe: CrossValidated, count: int) -> Lines:
    """Return up to `count` lines of what cross-validation tried, around the chosen one."""
    chosen = next((i for i, one in enumerate(probe.tried) if one.value == probe.chosen), 0)
    first = max(min(chosen - count // 2, len(probe.tried) - count), 0)
    return tuple(_tried_line(one, probe) for one in probe.tried[first : first + count])


def _tried_line(one: TriedValue, probe: CrossValidated) -> Text:
    is_chosen = one.value == probe.chosen
    value = "-" if one.value is None else f"{one.value:.2g}"
    shown = tr("{value} chosen", value=value) if is_chosen else value
    cells = (
        f"{pad_cells(shown, 18)}{_number(one.loss):>10}"
        f"{_number(one.accuracy):>13}{f'+-{_number(one.error)}':>10}"
    )
    return labelled("", Text(cells, style="bold" if is_chosen else ""))


def _number(value: float | None, digits: str = ".3f") -> str:
    return "-" if value is None else f"{value:{digits}}"


def _stage_line(stage: StageRow) -> Text:
    name = safe_text(stage_title(stage.name), 40)
    return labelled(
        "", Text(tr("stage {number}: {name}", number=stage.index + 1, name=name), style="dim")
    )


def _epoch_line(row: EpochFinished, columns: Mapping[str, int], best: bool) -> Text:
    values = {
        "loss": _number(row.loss),
        "acc": _number(row.accuracy),
        "val loss": _number(row.val_loss),
        "val acc": _number(row.val_accuracy),
        "rate": _number(row.learning_rate, ".1e"),
        "time": "-" if row.seconds is None else format_seconds(row.seconds),
        **{SHORT_TITLES[name]: _number(value) for name, value in row.scores.items()},
    }
    cells = "".join(
        pad_cells(values.get(title, "-"), width, "r") for title, width in columns.items()
    )
    first = pad_cells(f"{row.epoch}{' ' + tr('best') if best else ''}", 9)
    return labelled("", Text(first + cells, style="bold" if best else ""))


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
