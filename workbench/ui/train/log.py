"""The log of the Train screen: a line an epoch, or a line a regularization that was tried. Pure."""

from collections.abc import Mapping

from rich.text import Text

from workbench.experiment.metrics import SHORT_TITLES
from workbench.experiment.stage_titles import stage_title
from workbench.messages import tr
from workbench.runs.events import CrossValidated, EpochFinished, TriedValue
from workbench.runs.history import History, StageRow, monitored_scores
from workbench.text import cell_width, format_seconds, pad_cells, safe_text
from workbench.ui.train.text import labelled

# Heads of the log's columns.
LOG_TITLES = {
    "loss": tr("loss"), "acc": tr("acc"), "val loss": tr("val loss"), "val acc": tr("val acc"),
    "rate": tr("rate"), "time": tr("time"),
}  # fmt: skip
Lines = tuple[Text, ...]


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
    name = safe_text(stage_title(stage.name, 40), 40)
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
