"""Strategy: which rung of the ladder, what it will do and cost, and every option beneath it."""

from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import DataTable, OptionList, Static
from textual.widgets.option_list import Option

from workbench.bases.weights import IMAGENET, RANDOM
from workbench.errors import UserError
from workbench.experiment.presets import PRESETS
from workbench.experiment.rung_texts import recommend
from workbench.experiment.rungs import LADDER
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.check import look_at_gpus
from workbench.machine.figures import Figures, Shelf
from workbench.runs.folder import RunFolder
from workbench.text import safe_lines, safe_text
from workbench.ui.draft import FIXED, Draft, plain_message
from workbench.ui.guide import show_run
from workbench.ui.screens.base import WorkbenchScreen
from workbench.ui.screens.option import OptionScreen
from workbench.ui.screens.start import StartScreen
from workbench.ui.start import start_run
from workbench.ui.strategy_text import (
    Forecast,
    described,
    forecast,
    ordered,
    recommendation_line,
    rung_details,
    start_words,
    value_in_words,
)
from workbench.ui.widgets.step_rail import rail_heading

WIDE = 110  # columns from which there is room beside the rungs
BOOK = tuple(name for name in PRESETS if name.startswith("book-"))
COLUMNS = (("option", 28), ("value", 16), ("", 5))


class OptionTable(DataTable[Text]):
    """Says in the footer what enter does."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select_cursor", "Change")]


class RungList(OptionList):
    """Says in the footer what enter does."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "Go on")]


class StrategyScreen(WorkbenchScreen):
    """The rungs, what each does and costs here, and its options.

    Args:
        draft: with images and their facts.
    """

    CONCEPTS = (
        "local-patterns", "transfer", "feature-extraction", "overfitting", "dropout",
        "learning-rate", "dense-top", "flatten",
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "options", "Options", id="strategy.options"),
        Binding("b", "book", "The book's", id="strategy.book"),
        Binding("t", "train", "Train", id="strategy.train"),
    ]
    # Not DEFAULT_CSS: the app's own rules for tables would go before it.
    CSS = """
    StrategyScreen #advice { margin-bottom: 1; height: auto; }
    StrategyScreen #top { height: 10; }
    StrategyScreen RungList { width: 31; height: 1fr; padding: 0; border: none;
                              background: $background; background-tint: $background 0%; }
    StrategyScreen RungList > .option-list--option-highlighted { color: $foreground;
                              background: $primary 30%; text-style: none; }
    StrategyScreen RungList:blur > .option-list--option-highlighted {
                              background: $background; text-style: bold; }
    StrategyScreen #details { width: 1fr; height: 1fr; padding-left: 1; }
    StrategyScreen #details Static { height: auto; }
    StrategyScreen #options { height: 1fr; margin-top: 1; scrollbar-size-vertical: 1; }
    StrategyScreen #options:blur > .datatable--cursor { background: $background; }
    StrategyScreen.-wide #top { height: 12; }
    StrategyScreen.-wide RungList { width: 36; }
    """

    class FiguresFound(Message):
        """What was measured of the device that a run would take."""

        def __init__(self, figures: Figures | None) -> None:
            super().__init__()
            self.figures = figures

    class Started(Message):
        """A run was started, or why not."""

        def __init__(self, run: RunFolder | None, error: str, notes: list[str]) -> None:
            super().__init__()
            self.run = run
            self.error = error
            self.notes = notes

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft
        self._shown = draft
        self._figures: Figures | None = None
        self._book = draft.preset in BOOK
        self._keys: list[str] = []
        self._starting = False

    def compose_body(self) -> ComposeResult:
        """Where to begin; rungs and what they are; options."""
        yield Static(id="advice")
        with Horizontal(id="top"):
            yield RungList()
            with VerticalScroll(id="details", can_focus=False):
                yield Static(id="rung")
        yield OptionTable(id="options", cursor_type="row")

    def heading(self) -> Text:
        """The rail."""
        return rail_heading(self.draft.name, "strategy", self.draft.settled, self.workbench.utf8)

    def on_mount(self) -> None:
        """Shows the rungs; what the machine can do comes when it is known."""
        super().on_mount()
        table = self.query_one(OptionTable)
        for title, width in COLUMNS:
            table.add_column(title, key=title, width=width)
        table.add_column("meaning", key="meaning")
        if self.draft.facts:
            advice = recommend(self.draft.facts)
            self.query_one("#advice", Static).update(recommendation_line(advice.preset, advice.why))
        self._fill_rungs()
        self.query_one(RungList).focus()
        self._find_figures(self._asked_gpu())

    # The rungs

    def _fill_rungs(self) -> None:
        rungs = self.query_one(RungList)
        names = BOOK if self._book else LADDER
        chosen = self.draft.chosen_preset
        mark = "●" if self.workbench.utf8 else "*"
        with self.prevent(OptionList.OptionHighlighted):
            rungs.clear_options()
            for name in names:
                sign = mark if name == chosen else " "
                title = name.removeprefix("book-")
                rungs.add_option(Option(Text(f"{sign} {title}"), id=name))
            rungs.highlighted = names.index(chosen) if chosen in names else 0
        self.query_one("#advice", Static).update(self._advice())
        self._show(names[rungs.highlighted or 0])

    def _advice(self) -> Text:
        if self._book or self.draft.facts is None:
            return Text("The book's own experiments, figure for figure. b: ours, fitted to data.")
        advice = recommend(self.draft.facts)
        return recommendation_line(advice.preset, advice.why)

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if event.option_id in PRESETS:
            self._show(str(event.option_id))

    def _show(self, preset: str) -> None:
        self._shown = self.draft.preview(preset)
        self._show_details()
        self._show_options()

    def _show_details(self) -> None:
        if not self.query("#rung"):  # the app is ending
            return
        spec, error = self._spec()
        color = self.app.theme_variables.get("error", "")
        text = rung_details(
            self._shown.chosen_preset, self._told(spec), error, color, self._is_wide
        )
        self.query_one("#rung", Static).update(text)

    @property
    def _is_wide(self) -> bool:
        return self.app.size.width >= WIDE

    def on_resize(self) -> None:
        """More room, more to tell."""
        super().on_resize()
        if self._keys:
            self._show_details()

    def _spec(self) -> tuple[ExperimentSpec | None, str]:
        try:
            return self._shown.spec(), ""
        except UserError as error:
            return None, plain_message(error)

    def _told(self, spec: ExperimentSpec | None) -> Forecast | None:
        facts = self.draft.facts
        return forecast(spec, facts, self._figures) if spec and facts else None

    # What this machine can do

    def _asked_gpu(self) -> int | str:
        value = self._shown.settings.get("training.gpu", "auto")
        return value if isinstance(value, (int, str)) else "auto"

    @work(thread=True, exclusive=True, group="figures", exit_on_error=False)
    def _find_figures(self, asked: int | str) -> None:
        try:
            figures = Shelf(look_at_gpus(asked).device_name).load()
        except UserError:  # no such GPU: the start says so
            figures = None
        self.post_message(self.FiguresFound(figures))

    @on(FiguresFound)
    def _figures_found(self, event: FiguresFound) -> None:
        self._figures = event.figures
        self._show_details()

    # Options

    def _show_options(self) -> None:
        """Fills the table; the cursor stays on its key."""
        table = self.query_one(OptionTable)
        here = self._keys[table.cursor_row] if table.cursor_row < len(self._keys) else ""
        values, own = self._shown.values(), self._shown.settings
        self._keys = ordered(values, FIXED)
        table.clear()
        accent = self.app.theme_variables.get("accent", "")
        for key in self._keys:
            yours = key in own
            style = f"bold {accent}" if yours else ""
            table.add_row(
                Text(key),
                Text(safe_text(value_in_words(values[key]), 16) or "-", style=style),
                Text("yours" if yours else "", style=style),
                Text(described(key), style="dim"),
            )
        if here in self._keys:
            table.move_cursor(row=self._keys.index(here))

    @on(DataTable.RowSelected, "#options")
    def _change(self, event: DataTable.RowSelected) -> None:
        event.stop()
        key = self._keys[event.cursor_row]
        shown = self._shown

        def check(value: Any) -> str:
            try:
                shown.with_settings(_with(shown.settings, key, value))
            except UserError as error:
                return plain_message(error)
            return ""

        def answered(answer: tuple[Any] | None) -> None:
            if answer is not None:
                self._take(key, answer[0])

        value, default = shown.values().get(key), shown.defaults().get(key)
        self.app.push_screen(OptionScreen(key, value, default, check), answered)

    def _take(self, key: str, value: Any) -> None:
        if key == "base.weights" and value not in (IMAGENET, RANDOM):
            value = str(Path(str(value)).expanduser().absolute())
        if self._keep(lambda: self._take_over(key, value)):
            self._fill_rungs()
            self.refresh_heading()
        if key == "training.gpu":
            self._find_figures(self._asked_gpu())

    def _take_over(self, key: str, value: Any) -> None:
        self.draft.take_preset(self._shown.chosen_preset)
        self.draft.take({key: value})

    def _keep(self, change: Any) -> bool:
        """Does what changes the draft; says so where the disk refuses."""
        try:
            change()
        except UserError as error:
            self.notify(safe_text(str(error), 400), severity="error", markup=False)
            return False
        return True

    def action_options(self) -> None:
        """To the options and back."""
        table = self.query_one(OptionTable)
        (self.query_one(RungList) if table.has_focus else table).focus()

    def action_back(self) -> None:
        """From the options to the rungs, from there to the step before."""
        if self.query_one(OptionTable).has_focus:
            self.query_one(RungList).focus()
        else:
            super().action_back()

    def action_book(self) -> None:
        """The book's own rungs, or ours."""
        self._book = not self._book
        self._fill_rungs()
        self.query_one(RungList).focus()

    # Going on

    @on(OptionList.OptionSelected)
    def _go_on(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        spec = self._settled_spec()
        if spec is None or self.draft.facts is None:
            return
        if spec.model.strategy == "dense":  # has no layers to choose from
            self._ask_to_start(spec)
            return
        from workbench.ui.screens.layers_step import LayersStep

        self.app.push_screen(LayersStep(self.draft, spec, self._figures, self._layers_chosen))

    def _settled_spec(self) -> ExperimentSpec | None:
        """Takes the rung over; None where its settings do not fit."""
        spec, error = self._spec()
        if spec is None:
            self.notify(safe_text(error, 400), severity="error", markup=False)
            return None
        preset = self._shown.chosen_preset

        def settle() -> None:
            self.draft.take_preset(preset)
            self.draft.settle("strategy")

        if not self._keep(settle):
            return None
        self._fill_rungs()
        self.refresh_heading()
        return spec

    def _layers_chosen(self, spec: ExperimentSpec) -> None:
        def settle() -> None:
            self.draft.take_spec(spec)
            for step in ("strategy", "layers"):
                self.draft.settle(step)

        if self._keep(settle):
            self._fill_rungs()
            self.refresh_heading()
            self._ask_to_start(self.draft.spec())

    def _ask_to_start(self, spec: ExperimentSpec) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self._start(spec)

        self.app.push_screen(StartScreen(start_words(spec, self._told(spec))), answered)

    def action_train(self) -> None:
        """Passes the layers over; asks before anything begins."""
        if spec := self._settled_spec():
            self._ask_to_start(spec)

    def _start(self, spec: ExperimentSpec) -> None:
        if self._starting:
            return
        self._starting = True
        self.notify("Looking at images and GPU, then the run begins.")
        self._start_in_thread(spec)

    @work(thread=True, exclusive=True, group="start", exit_on_error=False)
    def _start_in_thread(self, spec: ExperimentSpec) -> None:
        notes: list[str] = []
        try:
            run = start_run(self.workbench.workspace, spec, self.draft.stem, notes.append)
        except UserError as error:
            self.post_message(self.Started(None, str(error), notes))
        else:
            self.post_message(self.Started(run, "", notes))

    @on(Started)
    def _started(self, event: Started) -> None:
        self._starting = False
        if event.run is None:
            self.notify(safe_lines(event.error), severity="error", timeout=15, markup=False)
            return
        for words in event.notes:
            self.notify(safe_text(words, 300), markup=False)
        self.draft.discard()
        show_run(self.workbench, event.run.name)


def _with(settings: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """The settings with one changed; blocks to train go with another base."""
    changed = {**settings, key: value}
    if key == "base.name":
        changed.pop("base.trainable", None)
    return changed
