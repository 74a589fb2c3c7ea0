"""Strategy: which strategy, what it does and costs here, and every option of the experiment."""

import os
from contextlib import suppress
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.events import DescendantBlur, DescendantFocus, Resize, ScreenResume
from textual.widgets import DataTable, OptionList, Static

from workbench.app.draft import Draft, plain_message
from workbench.bases.weights import parse_weights
from workbench.content.concepts import concept_of_key
from workbench.errors import UserError
from workbench.experiment.estimate import Forecast
from workbench.experiment.presets import LADDER, PRESETS, recommend
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.backends import backend_environment
from workbench.machine.benchmark_store import BenchmarkResult, BenchmarkStore
from workbench.machine.driver import expected_device
from workbench.messages import tr
from workbench.render.bases import base_lines
from workbench.render.runs import describe_tried
from workbench.render.strategy import (
    describe_start,
    forecast,
    format_key_value,
    recommendation_line,
    strategy_details,
)
from workbench.ui.base import WIDE_COLUMNS, Route, in_background
from workbench.ui.dialogs import show_error
from workbench.ui.guide import StepScreen, open_ladder_dialog
from workbench.ui.keys import key_of
from workbench.ui.option import OptionScreen
from workbench.ui.strategy.start import RunStarter
from workbench.ui.strategy.widgets import OptionTable, StrategyList

# The concept that explains a strategy best.
PRESET_CONCEPTS = {
    "dense": "local-patterns",
    "convnet": "local-patterns",
    "mnist": "local-patterns",
    "convnet-augmented": "augmentation",
    "linear-probe": "linear-probe",
    "feature-extraction": "feature-extraction",
    "feature-extraction-augmented": "feature-extraction",
    "fine-tuning": "upper-layers",
}
ROOMY_ROWS = 46  # of a terminal with room for strategies and all options at once
BOOK = tuple(name for name in PRESETS if name.startswith("book-"))


class StrategyScreen(StepScreen):
    """List the strategies, with what each does and costs here, and its options.

    Args:
        draft: with images and their facts.
    """

    STEP = 2
    CONCEPTS = (
        "local-patterns", "transfer", "linear-probe", "feature-extraction", "overfitting",
        "dropout", "learning-rate", "optimizer", "warm-up", "averaged-weights", "label-smoothing",
        "mixing", "layer-rates", "dense-top", "flatten", "deadline",
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "s",
            "options",
            tr("Options"),
            id="strategy.options",
            tooltip=tr("every value, to change"),
        ),
        Binding("t", "train", tr("Train"), id="strategy.train"),
        Binding("f", "lr_find", tr("LR find"), id="strategy.lr-find"),
        Binding("T", "tune", tr("Tune"), key_display="T", id="strategy.tune"),
        Binding(
            "b", "book", tr("Book"), tooltip=tr("the book's own experiments"), id="strategy.book"
        ),
        Binding("A", "ladder", tr("All strategies"), key_display="A", id="strategy.ladder"),
    ]

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft
        self._shown = draft
        self._drawn: object = None
        self._benchmark: BenchmarkResult | None = None
        self._book = draft.preset in BOOK
        self._left: int | None = None  # the cursor among the experiments that are not shown
        self._starter = RunStarter(self, draft)
        self._tries = {"tune": False, "lr_find": True}  # what there is to try before training

    def compose_body(self) -> ComposeResult:
        """Yield the recommendation, strategies beside details, options."""
        yield Static(id="advice")
        with Horizontal(id="top"):
            yield StrategyList()
            with VerticalScroll(id="details", can_focus=False):
                yield Static(id="strategy-details")
        yield OptionTable(self.workbench.utf8)
        yield Static(id="meaning")

    def concepts(self) -> tuple[str, ...]:
        """Return that of the highlighted option, or of the highlighted strategy, first."""
        table = self.query_one(OptionTable)
        first = PRESET_CONCEPTS.get(self._shown.chosen_preset.removeprefix("book-"), "")
        if table.has_focus:
            first = concept_of_key(table.keys[table.cursor_row], first)
        return (first, *self.CONCEPTS) if first else self.CONCEPTS

    def on_mount(self) -> None:
        """Show the strategies; the benchmark of the machine follows."""
        self._fill_strategies()
        self.query_one(StrategyList).focus()
        self._load_benchmark()
        self._starter.ask_slurm()

    # The strategies

    def _fill_strategies(self) -> None:
        marks = "●○" if self.workbench.utf8 else "*-"
        presets = BOOK if self._book else LADDER
        chosen = self.draft.chosen_preset
        highlighted = self.query_one(StrategyList).show_presets(presets, chosen, marks)
        self.query_one("#advice", Static).update(self._recommendation())
        self._show(highlighted)

    def _recommendation(self) -> Text:
        if self._book or self.draft.facts is None:
            return Text(
                tr(
                    "The book's own experiments, unchanged. {key}: ours, fitted to the data.",
                    key=key_of(self, "strategy.book"),
                )
            )
        advice = recommend(self.draft.facts)
        source = os.path.normpath(self.draft.source or "")
        tried = describe_tried(advice.preset, source, self.workbench.runs)
        return recommendation_line(advice.preset, f"{advice.why} {tried}".rstrip())

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if event.option_id in PRESETS:
            self._show(str(event.option_id))

    def _show(self, preset: str) -> None:
        self._shown = self.draft.preview(preset)
        self._drawn = self._drawing_inputs
        self._show_details()
        self.query_one(OptionTable).show_options(self._shown)

    def _show_details(self) -> None:
        if not self.query("#strategy-details"):  # the app is closing
            return
        spec, error = self._spec()
        color = self.color("error")
        is_wide = self.app.size.width >= WIDE_COLUMNS
        preset = self._shown.chosen_preset
        base = base_lines(spec, self._shown.settings, self._benchmark, is_wide)
        text = strategy_details(preset, self._forecast(spec), error, color, is_wide, base)
        self.query_one("#strategy-details", Static).update(text)
        strategy = spec.model.strategy if spec else ""
        tries = {"tune": strategy == "feature-extraction", "lr_find": strategy != "linear-probe"}
        if tries != self._tries:
            self._tries = tries
            self.refresh_bindings()

    @property
    def _drawing_inputs(self) -> object:
        """What details and options depend on."""
        return self.app.size, dict(self._shown.settings)

    @on(Resize)
    @on(ScreenResume)
    def _redraw_if_changed(self) -> None:
        """Redraw in another size, and when the next step changed the draft."""
        if self._drawn != self._drawing_inputs:
            self._show(self._shown.chosen_preset)
            self.refresh_heading()

    def _spec(self) -> tuple[ExperimentSpec | None, str]:
        try:
            return self._shown.spec(), ""
        except UserError as error:
            return None, plain_message(error)

    def _forecast(self, spec: ExperimentSpec | None) -> Forecast | None:
        facts = self.draft.facts
        return forecast(spec, facts, self._benchmark) if spec and facts else None

    # The benchmark of this machine

    def _load_benchmark(self) -> None:
        settings = self._shown.settings
        gpu = settings.get("training.gpu", "auto")
        requested = gpu if isinstance(gpu, (int, str)) else "auto"
        backend = str(settings.get("training.backend", "auto"))

        def load() -> BenchmarkResult | None:
            with suppress(UserError):  # no such GPU: starting a run reports it
                device = expected_device(requested)
                return BenchmarkStore(device, backend_environment(backend)).load()
            return None

        def show(benchmark: BenchmarkResult | None) -> None:
            self._benchmark = benchmark
            self._show_details()

        in_background(self, load, show)

    # Options

    @on(DescendantBlur)
    @on(DescendantFocus)
    @on(Resize)
    def _give_room(self) -> None:
        """Give the options, while one is chosen, the room of all but the strategy's name."""
        is_low = self.app.size.height < ROOMY_ROWS
        table = self.query_one(OptionTable)
        elsewhere = not self.app.app_focus and self.has_class("-options")  # in another window
        is_open = is_low and (table.has_focus or elsewhere)
        self.set_class(is_low, "-low")
        self.set_class(is_open, "-options")
        if is_low:
            self.call_after_refresh(self._show_cursors)

    def _show_cursors(self) -> None:
        """Scroll to what is selected: the room has changed."""
        for strategies in self.query(StrategyList):  # none once the app is closing
            strategies.scroll_to_highlight()
        for table in self.query(OptionTable):
            table.move_cursor(row=table.cursor_row, scroll=True)

    @on(DataTable.RowHighlighted, "#options")
    def _show_description(self) -> None:
        for line in self.query("#meaning").results(Static):  # none once the app is closing
            line.update(Text(self.query_one(OptionTable).description))

    @on(DataTable.RowSelected, "#options")
    def _ask_value(self, event: DataTable.RowSelected) -> None:
        event.stop()
        key = self.query_one(OptionTable).keys[event.cursor_row]
        shown = self._shown

        def check(value: Any) -> str:
            try:
                shown.with_settings(_changed(shown.settings, key, value))
                if key == "base.weights":
                    parse_weights(value)
            except UserError as error:
                return plain_message(error)
            return ""

        def answered(answer: tuple[Any] | None) -> None:
            if answer is not None:
                self._set(key, answer[0])

        value, default = shown.values().get(key), shown.defaults().get(key)
        dialog = OptionScreen(key, value, default, check, self.draft.preview_groups)
        self.app.push_screen(dialog, answered)

    def _set(self, key: str, value: Any) -> None:
        if key == "base.weights":
            value = parse_weights(value)
        self._apply({key: value})
        if key in ("training.gpu", "training.backend"):
            self._load_benchmark()

    def _apply(self, settings: dict[str, Any]) -> None:
        """Store settings in the draft, with the strategy that is shown."""
        self.draft.set_preset(self._shown.chosen_preset)
        self.draft.update(settings)
        self._fill_strategies()
        self.refresh_heading()

    # Trying before training

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to tune heads on a frozen base, and to find a rate where steps are taken."""
        return self._tries.get(action, True)

    def action_lr_find(self) -> None:
        """Open the learning-rate range test."""
        self._open_trial("lr-find")

    def action_tune(self) -> None:
        """Open the search for dense layers, dropout and learning rate of the head."""
        self._open_trial("tune")

    def _open_trial(self, route: Route) -> None:
        def apply(settings: dict[str, Any]) -> None:
            self._apply(settings)
            values = ", ".join(
                f"{key} {format_key_value(value)}" for key, value in settings.items()
            )
            self.notify(tr("Applied: {values}.", values=values))

        try:
            self.workbench.open(route, self._shown, self._benchmark, apply)
        except UserError as error:  # the draft does not allow it
            show_error(self, str(error))

    def action_options(self) -> None:
        """Focus the options, or the strategies."""
        options = self.query_one(OptionTable)
        (self.query_one(StrategyList) if options.has_focus else options).focus()

    def action_back(self) -> None:
        """Leave the options, or the screen."""
        if self.query_one(OptionTable).has_focus:
            self.query_one(StrategyList).focus()
        else:
            super().action_back()

    def action_book(self) -> None:
        """Switch between the book's own experiments and ours; each keeps its cursor."""
        strategies = self.query_one(StrategyList)
        left, self._left = self._left, strategies.highlighted
        self._book = not self._book
        self._fill_strategies()
        if left is not None:
            strategies.highlighted = left
        strategies.focus()

    # Continuing

    @on(OptionList.OptionSelected)
    def _continue(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.go_on()

    def go_on(self) -> None:
        """Choose the strategy that is shown and open its layers, or ask to start it."""
        spec = self._complete_step()
        if spec is None or self.draft.facts is None:
            return
        if spec.model.strategy == "dense":  # no layers to choose
            self._ask_to_start(spec)
        else:
            then = self._layers_chosen
            self.workbench.open("layers-step", self.draft, spec, self._benchmark, then)

    def _complete_step(self) -> ExperimentSpec | None:
        """Choose the strategy that is shown; None if its settings are invalid."""
        spec, error = self._spec()
        if spec is None:
            show_error(self, error)
            return None
        self.draft.set_preset(self._shown.chosen_preset)
        self.draft.complete_step("strategy")
        self._fill_strategies()
        self.refresh_heading()
        return spec

    def _layers_chosen(self, spec: ExperimentSpec) -> None:
        self.draft.complete_step("layers")
        self._fill_strategies()
        self.refresh_heading()
        self._ask_to_start(spec)

    def _ask_to_start(self, spec: ExperimentSpec) -> None:
        self._starter.ask(spec, describe_start(spec, self._forecast(spec)))

    def action_train(self) -> None:
        """Skip the layers; ask, then start the run."""
        if spec := self._complete_step():
            self._ask_to_start(spec)

    def action_ladder(self) -> None:
        """Train all strategies, one after the other."""
        open_ladder_dialog(self, self.draft, BOOK if self._book else LADDER, self._benchmark)


def _changed(settings: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Return the settings with one changed; another base drops the blocks to train."""
    changed = {**settings, key: value}
    if key == "base.name":
        changed.pop("base.trainable", None)
    return changed
