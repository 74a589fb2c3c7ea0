"""The pane beside the table on a wide terminal: a run's curve, spec, layers, and what is next."""

from collections.abc import Callable
from functools import partial

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from workbench.errors import UserError
from workbench.messages import tr
from workbench.render.curves import (
    CurveColors,
    Metric,
    PlotStyle,
    plot_options,
    plot_series,
    probe_options,
    probe_series,
)
from workbench.render.plot import plot
from workbench.render.runs import describe_run
from workbench.runs.freeze_check import PARTLY, TRAINS, group_by_block, layers_of_stage
from workbench.runs.next_step import suggest_next
from workbench.runs.results import read_results
from workbench.runs.watch import RunView
from workbench.text import cell_width, pad_cells, safe_text, wrap_cells
from workbench.ui.keys import key_of
from workbench.words import shown

PLOT_SHARE = 0.4  # of the height
MIN_PLOT, MAX_PLOT = 8, 20  # rows
CURVE_FRAME = 2  # rows: its title, and the one below it
LEAST_BELOW = 6  # rows of a plot below the table
# What of a spec is shown, by the label that it has.
KEYS = {
    "data": ("data.source", "data.image_size"),
    "base": ("base.name", "base.trainable"),
    "training": ("training.optimizer", "training.learning_rate", "training.batch_size",
                 "training.epochs"),
}  # fmt: skip


LABELS = {"data": tr("data"), "base": tr("base"), "training": tr("learning")}
LABEL = 1 + max(8, *map(cell_width, LABELS.values()))  # cells of the name before a value
NUMBERS = {
    "learning_rate": tr("learning rate"),
    "batch_size": tr("batch size"),
    "epochs": tr("epochs"),
}


class RunDetail(Vertical):
    """What is known of the run under the cursor."""

    DEFAULT_CSS = """
    RunDetail { padding: 0 1; border-left: solid $panel; }
    RunDetail #curve { height: auto; }
    RunDetail #facts { height: 1fr; }
    """

    _view: RunView | None = None
    _utf8 = True
    _drawn: tuple[object, ...] = ()  # size, characters and colours of what is shown of it

    def compose(self) -> ComposeResult:
        """Yield the curve over the facts."""
        yield Static(id="curve")
        yield Static(id="facts")

    def on_resize(self) -> None:
        """Draw in the room that there is now, once it is laid out: the curve gets its rows then."""
        self.call_after_refresh(lambda: self.show(self._view, self._utf8))

    def show(self, view: RunView | None, utf8: bool) -> None:
        """Show a run, drawn again only if it changed; nothing without one."""
        width, height = self.content_size
        drawn = (width, height, utf8, self.app.theme)
        if view is self._view and drawn == self._drawn:
            return
        self._view, self._utf8, self._drawn = view, utf8, drawn
        colors = self.app.theme_variables
        curve, facts = Text(), Text()
        if view is not None and width > 0:
            facts = describe(view, width, utf8, partial(key_of, self.screen))
            left = height - len(facts.wrap(self.app.console, width)) - CURVE_FRAME
            rows = max(min(int(height * PLOT_SHARE), left, MAX_PLOT), MIN_PLOT)
            curve = draw_curve(view, width, rows, utf8, colors.get)
        above = self.query_one("#curve", Static)
        above.display = bool(curve.plain)
        above.styles.height = curve.plain.count("\n") + 1  # the automatic one stays that of before
        above.update(curve)
        self.query_one("#facts", Static).update(facts)


class CurveBelow(Widget):
    """A curve of the run under the cursor, in the rows that a short table leaves below it."""

    DEFAULT_CSS = """
    CurveBelow { height: 1fr; padding: 1 1 0 1; }
    """

    _view: RunView | None = None
    _metric: Metric = "accuracy"
    _utf8 = True

    def show(self, view: RunView | None, metric: Metric, utf8: bool) -> None:
        """Show a run, drawn again only if it changed; nothing without one."""
        if view is not self._view or metric != self._metric or utf8 != self._utf8:
            self._view, self._metric, self._utf8 = view, metric, utf8
            self.refresh()

    def render(self) -> Text:
        """Return the curves, nothing where they would be too flat to read."""
        width, rows = self.content_size.width, self.content_size.height - 1  # the title
        if self._view is None or rows < LEAST_BELOW:
            return Text()
        color = self.app.theme_variables.get
        return draw_curve(self._view, width, rows, self._utf8, color, self._metric)


def draw_curve(
    view: RunView,
    width: int,
    rows: int,
    utf8: bool,
    color: Callable[[str, str], str],
    metric: Metric = "accuracy",
) -> Text:
    """Return training and validation over the epochs; nothing without room for them."""
    if not view.history.epochs:
        return Text()
    train, validation = color("primary", ""), color("warning", "")
    colors = CurveColors(train, validation, train, validation, "", color("success", ""))
    style = PlotStyle(utf8=utf8)
    title = Text(shown(metric), style="bold")
    if probe := view.history.probe:
        title.append(tr(" over regularization"), style="not bold dim")
        series, options = probe_series(probe, metric, colors), probe_options(probe, style)
    else:
        series, options = plot_series(view, metric, style, colors), plot_options(view, style)
    drawn = plot(series, width, rows, options)
    if not drawn.plain.strip():
        return Text()
    return Text.assemble(title, "\n", drawn, "\n")


def describe(view: RunView, width: int, utf8: bool, key: Callable[[str], str]) -> Text:
    """Return the run's state, spec, layers, tags, note, and what can be done next.

    Args:
        view: the run.
        width: cells of a line.
        utf8: False for ASCII.
        key: returns the key of a binding of Home.
    """

    def line(label: str, text: str) -> Text:
        """Return a labelled text, wrapped behind its label."""
        room = max(width - LABEL, 10)
        lines = [one for part in text.split("\n") for one in wrap_cells(part, room)]
        return Text.assemble((pad_cells(label, LABEL), "dim"), ("\n" + " " * LABEL).join(lines))

    lines = [Text(safe_text(view.name), style="bold"), describe_run(view), Text()]
    for label, keys in KEYS.items():
        values = [text for key in keys if (text := _value(view, key))]
        if label == "data" and values:  # the source has what the size of the images leaves
            rest = sum(cell_width(text) + 2 for text in values[1:])
            values[0] = cut_start(values[0], max(width - LABEL - rest, 10))
        if values:
            lines.append(line(LABELS[label], ", ".join(values)))
    if layers := describe_layers(view, max(width - LABEL, 10), utf8):
        lines += [Text(), layers]
    if view.tags or view.note:
        lines.append(Text())
    if view.tags:
        lines.append(line(tr("tags"), " ".join(view.tags)))
    if view.note:
        lines.append(line(tr("my note"), safe_text(view.note, 300)))
    lines += [Text(), line(tr("next"), describe_next(view, key))]
    return Text("\n").join(lines)


def _value(view: RunView, key: str) -> str:
    """Return a value of the spec as text; "" if it has none."""
    table, _, name = key.partition(".")
    value = view.table(table).get(name)
    if value in (None, "", []):
        return ""
    if name == "image_size" and isinstance(value, list):
        return "x".join(safe_text(one, 8) for one in value)
    if isinstance(value, list):
        return tr("trains {blocks}", blocks=safe_text(", ".join(map(str, value)), 60))
    if name in NUMBERS:
        return f"{NUMBERS[name]} {safe_text(value, 12)}"
    return safe_text(value)


def cut_start(path: str, width: int) -> str:
    """Return the end of a path, from a folder on if one begins there: "…/digits/source"."""
    if cell_width(path) <= width:
        return path
    while path and cell_width(path) > width - 1:
        path = path[1:]
    _, folder, rest = path.partition("/")
    return f"…{folder}{rest}" if rest else f"…{path}"


def describe_layers(view: RunView, width: int, utf8: bool) -> Text | None:
    """Return a line of the network: a sign for each block that trains or is frozen."""
    stages = view.history.stages
    if not stages:
        return None
    index = max(stages)
    layers = layers_of_stage(stages[index].started, view.history.layers.get(index))
    groups = [group for group in group_by_block(layers) if group.with_weights]
    if not groups:
        return None
    trains, partly, frozen = "█▒░" if utf8 else "#+."
    text = Text(pad_cells(tr("layers"), LABEL), style="dim")
    upper = groups[-width:]
    for group in upper:
        status = group.combined.requested
        sign = {TRAINS: trains, PARTLY: partly}.get(status, frozen)
        text.append(sign, style="not dim")
    count = sum(group.combined.requested in (TRAINS, PARTLY) for group in groups)
    note = tr("{count} of {all} blocks train", count=count, all=len(groups))
    separator = "\n" + " " * LABEL if len(upper) + cell_width(note) + 2 > width else "  "
    return text.append(separator + note, style="not dim")


def describe_next(view: RunView, key: Callable[[str], str]) -> str:
    """Return what a person would do next with a run; `key` returns the key of a binding."""
    state = view.summary.state
    if view.host:
        return tr("enter brings it here")
    if view.running:
        return tr("enter watches it; {stop} saves and stops it", stop=key("stop"))
    if state.resumable:
        return tr("{resume} resumes it, enter shows how far it came", resume=key("resume"))
    try:
        results = read_results(view.folder.results_path)
        step = suggest_next(view.spec, view.history, results)
    except UserError:
        step = None
    opened = tr("enter shows its curves, and enter again the results")
    return f"{step.text}\n{opened}" if step else opened
