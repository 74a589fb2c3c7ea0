"""Strategy: which rung of the ladder, what it will do and cost, and every option beneath it."""

from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.events import Resize, ScreenResume
from textual.message import Message
from textual.widgets import DataTable, OptionList, Static

from workbench.app.draft import Draft, plain_message
from workbench.app.start_run import start_run
from workbench.bases.weights import given_weights
from workbench.errors import UserError
from workbench.experiment.presets import PRESETS
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.strategies import LADDER
from workbench.experiment.strategy_texts import recommend
from workbench.machine.benchmark_store import Figures, Shelf
from workbench.machine.check import look_at_gpus
from workbench.render.strategy import (
    Forecast,
    forecast,
    recommendation_line,
    rung_details,
    start_words,
    value_in_words,
)
from workbench.runs.folder import RunFolder
from workbench.text import safe_text
from workbench.ui.base_app import Route
from workbench.ui.dialogs import tell_problem
from workbench.ui.guide import ask_for_ladder
from workbench.ui.option import OptionScreen
from workbench.ui.screen import WorkbenchScreen
from workbench.ui.strategy.option_table import OptionTable
from workbench.ui.strategy.start import StartScreen
from workbench.ui.strategy.strategy_list import RungList
from workbench.ui.widgets.step_rail import rail_heading

WIDE = 110  # columns from which there is room beside the rungs
BOOK = tuple(name for name in PRESETS if name.startswith("book-"))


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
        Binding("o", "options", "Options", id="strategy.options", tooltip="every value, to change"),
        Binding("t", "train", "Train", id="strategy.train"),
        Binding("f", "find_rate", "Find rate", id="strategy.find-rate"),
        Binding("s", "search", "Search", id="strategy.search"),
        Binding("b", "book", "Book", tooltip="the book's own experiments", id="strategy.book"),
        Binding("A", "ladder", "All rungs", key_display="A", id="strategy.ladder"),
    ]

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
        self._drawn: object = None
        self._figures: Figures | None = None
        self._book = draft.preset in BOOK
        self._starting = False
        self._has_head = False  # on a frozen base: its outputs can be kept, and heads searched

    def compose_body(self) -> ComposeResult:
        """Where to begin; rungs and what they are; options."""
        yield Static(id="advice")
        with Horizontal(id="top"):
            yield RungList()
            with VerticalScroll(id="details", can_focus=False):
                yield Static(id="rung")
        yield OptionTable(self.workbench.utf8)
        yield Static(id="meaning")

    def heading(self) -> Text:
        """The rail."""
        return rail_heading(self.draft.name, "strategy", self.draft.settled, self.workbench.utf8)

    def on_mount(self) -> None:
        """Shows the rungs; what the machine can do comes when it is known."""
        self._fill_rungs()
        self.query_one(RungList).focus()
        self._find_figures(self._asked_gpu())

    # The rungs

    def _fill_rungs(self) -> None:
        rungs = self.query_one(RungList)
        mark = "●" if self.workbench.utf8 else "*"
        here = rungs.show_rungs(BOOK if self._book else LADDER, self.draft.chosen_preset, mark)
        self.query_one("#advice", Static).update(self._advice())
        self._show(here)

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
        self._drawn = self._state
        self._show_details()
        self.query_one(OptionTable).show_options(self._shown)

    def _show_details(self) -> None:
        if not self.query("#rung"):  # the app is ending
            return
        spec, error = self._spec()
        color = self.app.theme_variables.get("error", "")
        text = rung_details(
            self._shown.chosen_preset, self._told(spec), error, color, self._is_wide
        )
        self.query_one("#rung", Static).update(text)
        has_head = bool(spec and spec.model.strategy == "feature-extraction")
        if has_head != self._has_head:
            self._has_head = has_head
            self.refresh_bindings()

    @property
    def _is_wide(self) -> bool:
        return self.app.size.width >= WIDE

    @property
    def _state(self) -> object:
        """What the details and the options are drawn from."""
        return self.app.size, dict(self._shown.settings)

    @on(Resize)
    @on(ScreenResume)
    def _look_again(self) -> None:
        """More room, more to tell; and the step after this one may have changed the draft."""
        if self._drawn != self._state:
            self._show(self._shown.chosen_preset)
            self.refresh_heading()

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

    @on(DataTable.RowHighlighted, "#options")
    def _show_meaning(self) -> None:
        """Of the option under the cursor, whole: the table has no room for it, or little."""
        for line in self.query("#meaning").results(Static):  # none while the app ends
            line.update(Text(self.query_one(OptionTable).meaning))

    @on(DataTable.RowSelected, "#options")
    def _change(self, event: DataTable.RowSelected) -> None:
        event.stop()
        key = self.query_one(OptionTable).keys[event.cursor_row]
        shown = self._shown

        def check(value: Any) -> str:
            try:
                shown.with_settings(_with(shown.settings, key, value))
                if key == "base.weights":
                    given_weights(value)
            except UserError as error:
                return plain_message(error)
            return ""

        def answered(answer: tuple[Any] | None) -> None:
            if answer is not None:
                self._take(key, answer[0])

        value, default = shown.values().get(key), shown.defaults().get(key)
        self.app.push_screen(OptionScreen(key, value, default, check), answered)

    def _take(self, key: str, value: Any) -> None:
        if key == "base.weights":
            value = given_weights(value)
        self._take_all({key: value})
        if key == "training.gpu":
            self._find_figures(self._asked_gpu())

    def _take_all(self, settings: dict[str, Any]) -> None:
        self.draft.take_preset(self._shown.chosen_preset)
        self.draft.take(settings)
        self._fill_rungs()
        self.refresh_heading()

    # Trying before training

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offers a search where there is a head on a frozen base."""
        return action != "search" or self._has_head

    def action_find_rate(self) -> None:
        """Which learning rate suits, by a few steps of training."""
        self._open_trial("lr-find")

    def action_search(self) -> None:
        """Which dense layers, dropout and rate suit a head, by many short trainings."""
        self._open_trial("tune")

    def _open_trial(self, route: Route) -> None:
        """Shows why where the draft does not allow it."""

        def use(settings: dict[str, Any]) -> None:
            self._take_all(settings)
            named = ", ".join(f"{key} {value_in_words(value)}" for key, value in settings.items())
            self.notify(f"Taken over: {named}.")

        try:
            self.workbench.open(route, self._shown, self._figures, use)
        except UserError as error:
            tell_problem(self, str(error))

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
        self.workbench.open("layers-step", self.draft, spec, self._figures, self._layers_chosen)

    def _settled_spec(self) -> ExperimentSpec | None:
        """Takes the rung over; None where its settings do not fit."""
        spec, error = self._spec()
        if spec is None:
            tell_problem(self, error)
            return None
        self.draft.take_preset(self._shown.chosen_preset)
        self.draft.settle("strategy")
        self._fill_rungs()
        self.refresh_heading()
        return spec

    def _layers_chosen(self, spec: ExperimentSpec) -> None:
        self.draft.settle("layers")
        self._fill_rungs()
        self.refresh_heading()
        self._ask_to_start(spec)

    def _ask_to_start(self, spec: ExperimentSpec) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self._start(spec)

        self.app.push_screen(StartScreen(start_words(spec, self._told(spec))), answered)

    def action_train(self) -> None:
        """Passes the layers over; asks before anything begins."""
        if spec := self._settled_spec():
            self._ask_to_start(spec)

    def action_ladder(self) -> None:
        """Trains all rungs, one after the other."""
        ask_for_ladder(self, self.draft, BOOK if self._book else LADDER, self._figures)

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
            app, stem = self.workbench, self.draft.stem
            run = start_run(app.workspace, spec, stem, notes.append, warm=app.warm)
        except UserError as error:
            self.post_message(self.Started(None, str(error), notes))
        else:
            self.post_message(self.Started(run, "", notes))

    @on(Started)
    def _started(self, event: Started) -> None:
        self._starting = False
        if event.run is None:
            tell_problem(self, event.error)
            return
        for words in event.notes:
            self.notify(safe_text(words, 300), markup=False)
        self.draft.discard()
        self.workbench.open_instead("train", event.run.name)


def _with(settings: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """The settings with one changed; blocks to train go with another base."""
    changed = {**settings, key: value}
    if key == "base.name":
        changed.pop("base.trainable", None)
    return changed
