"""Layers of a new experiment: which of them train, and what that costs, told at every change."""

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from workbench.app.draft import Draft
from workbench.errors import UserError
from workbench.experiment.facts import expected_images
from workbench.experiment.plan import plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.spec_advice import Advice, Forecast, advise, forecast
from workbench.experiment.toml import apply_settings, parse_spec, spec_tree
from workbench.machine.benchmark_store import Figures
from workbench.render.layers import named_line, network_in_words, planned_row, stage_in_words
from workbench.runs.freeze_check import layers_of_spec
from workbench.runs.history import History
from workbench.text import plural, safe_text
from workbench.ui.layers.choice import (
    CHOICELESS,
    Settings,
    pooling_toggled,
    refusal,
    row_toggled,
    upper_only,
)
from workbench.ui.layers.table import LayerTable
from workbench.ui.layers.view import LayersView
from workbench.ui.widgets.step_rail import rail_heading

MEND_KEYS = "fghk"
ROOMY = 32  # rows of a terminal in which all advice is shown


class LayersStep(LayersView):
    """Chooses the layers of a draft, which keeps every change.

    Args:
        draft: with the facts of its images.
        spec: what it comes to now.
        figures: what the machine was measured to do; None where it was not.
        go_on: called with the changed spec when the choice is made; leads on over this screen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_row", "Toggle", id="toggle"),
        Binding("u", "upper", "Upper only", id="upper"),
        # First in line: the table would take the key for itself.
        Binding("enter", "go_on", "Go on", id="layers.go_on", priority=True),
        *(Binding(key, f"mend({i})", show=False) for i, key in enumerate(MEND_KEYS)),
    ]
    TRUTH = False

    def __init__(
        self,
        draft: Draft,
        spec: ExperimentSpec,
        figures: Figures | None,
        go_on: Callable[[ExperimentSpec], None],
    ) -> None:
        assert draft.facts is not None
        super().__init__()
        self.draft = draft
        self.spec = spec
        self._facts = draft.facts
        self._images = expected_images(draft.facts, spec.data.split)
        self._speed = figures.speed if figures else None
        self._go_on = go_on
        self._stage: int | None = None  # None is the last one, which the choice is about
        self._refusal = ""

    def heading(self) -> Text:
        """The rail."""
        return rail_heading(self.draft.name, "layers", self.draft.settled, self.workbench.utf8)

    def spec_shown(self) -> ExperimentSpec | None:
        """The draft's."""
        return self.spec

    def on_mount(self) -> None:
        """Shows what is chosen now."""
        self.show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only keys that do something here."""
        strategy = self.spec.model.strategy
        if action == "upper":
            return strategy == "fine-tuning"
        return action != "toggle_row" or strategy in ("fine-tuning", "convnet")

    def action_toggle_row(self) -> None:
        """Switches the block or layer under the cursor on or off."""
        key = self.query_one(LayerTable).chosen
        if self.spec.base and (why := refusal(self.spec, self.network, key)):
            self._refusal = why
            self.show()
        else:
            self._change(row_toggled(self.spec, key))

    def action_upper(self) -> None:
        """Trains the upper part of the base alone."""
        self._change(upper_only(self.spec))

    def action_number(self, number: int) -> None:
        """Shows another stage; in a convnet toggles the pooling of a block."""
        if self.spec.model.strategy == "convnet":
            self._change(pooling_toggled(self.spec, number))
        elif number <= len(plan_stages(self.spec)):
            self._stage = number - 1
            self.show()

    def action_mend(self, index: int) -> None:
        """Does what a piece of advice offers."""
        advice = self._advice()
        if index < len(advice):
            self._change(advice[index].mend)

    def action_go_on(self) -> None:
        """Hands the spec over: next is the start."""
        self._go_on(self.spec)
        self.refresh_heading()

    def _change(self, settings: Settings) -> None:
        """Takes settings over, the draft too, where the spec allows them; else says why not."""
        if not settings:
            return
        try:
            self.spec = parse_spec(apply_settings(spec_tree(self.spec), settings), "")
        except UserError as error:
            self._refusal = error.message.removeprefix(": ")
        else:
            self._refusal, self._stage = "", None
            self.draft.take_spec(self.spec)
            self.draft.settle("strategy")
        self.show()

    def show(self) -> None:
        """The table and everything that follows from the choice."""
        told = self._forecast()
        layers = layers_of_spec(self.spec, self._facts.classes, told.cost.stage)
        self.draw(self._title(), layers, self._details(told))

    def _title(self) -> Text:
        strategy = self.spec.model.strategy
        text = Text(network_in_words(self.spec))
        if self.spec.base:
            text.append(f"   {strategy}", "dim")
        if why := CHOICELESS.get(strategy):
            text.append(f"\n{why}", self.color("secondary"))
        return text

    def _forecast(self) -> Forecast:
        return forecast(self.spec, self._facts.classes, self._images, self._speed, self._stage)

    def _advice(self) -> tuple[Advice, ...]:
        return advise(self.spec, self._images, self._facts.classes)[: len(MEND_KEYS)]

    def _details(self, told: Forecast) -> list[Text]:
        lines = []
        if self._refusal:
            words = safe_text(self._refusal, 400)
            lines.append(named_line("refused", words, self.color("error")))
        lines.append(self.totals_line(told.cost.trainable, told.cost.parameters))
        if told.prefix:
            lines.append(named_line("prefix", told.prefix))
        lines.append(named_line("cost", told.seconds))
        for stage in told.plan:
            style = "" if stage.index == told.cost.stage.index else "dim"
            words = f"{stage.index + 1} {stage_in_words(planned_row(stage), History())}"
            lines.append(named_line("" if stage.index else "plan", words, style))
        return lines + self._advice_lines()

    def _advice_lines(self) -> list[Text]:
        advice = self._advice()
        if not advice and self.spec.model.strategy == "fine-tuning":
            first = f"ok: the head trains {plural(self.spec.training.head_epochs, 'epoch')} first"
            return [named_line("advice", first, self.color("success"))]
        # A low terminal shows one at a time; mending it brings the next.
        shown = advice if self.app.size.height >= ROOMY else advice[:1]
        lines = []
        for key, piece in zip(MEND_KEYS, shown, strict=False):
            line = named_line("advice", piece.sentence, self.color("warning"))
            lines.append(line.append(f" {key}: {piece.offer}", "bold"))
        if more := len(advice) - len(shown):
            lines[-1].append(f"  and {more} more", "dim")
        return lines
