"""The layers of a new experiment: which of them train, and the cost of each choice."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from workbench.app.draft import Draft
from workbench.errors import UserError
from workbench.experiment.advice import SpecAdvice, format_setting
from workbench.experiment.estimate import Forecast, make_forecast
from workbench.experiment.facts import expected_images
from workbench.experiment.plan import plan_stages
from workbench.experiment.receptive_field import receptive_fields
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.spec_advice import (
    advise,
    describe_cost,
    describe_prefix_cost,
    toggle_layers,
    trainable_layers,
    trainable_names,
)
from workbench.experiment.toml import apply_settings, parse_spec, spec_tree
from workbench.machine.benchmark_store import BenchmarkResult
from workbench.messages import tr
from workbench.render.layers import describe_network, describe_stage, labelled_line, planned_row
from workbench.runs.freeze_check import Layer, layers_of_spec
from workbench.runs.history import History
from workbench.text import plural, safe_text
from workbench.ui.base import HIGH_ROWS
from workbench.ui.guide import StepScreen
from workbench.ui.layers.screen import LayersView
from workbench.ui.layers.table import LayerTable

WITHOUT_CHOICE = {
    "dense": tr("A dense network has nothing pretrained to freeze: every layer trains."),
    "convnet": tr(
        "A convnet starts from random weights, so every layer trains. space "
        "removes or restores the pooling of a layer's block: watch the "
        "parameters."
    ),
    "linear-probe": tr(
        "A linear probe solves one layer above the frozen base. To unfreeze "
        "blocks of the base, choose fine-tuning as the strategy."
    ),
    "feature-extraction": tr(
        "Feature extraction trains only the head. To unfreeze blocks of the "
        "base, choose fine-tuning as the strategy."
    ),
}
Settings = tuple[str, ...]
ADVICE_KEYS = "789"  # 1 to 6 are the steps of the rail


def toggle_row(spec: ExperimentSpec, key: str) -> Settings:
    """Toggle the block or layer of a row; in a convnet the pooling of its block.

    Args:
        spec: of the experiment.
        key: "block NAME" or "layer NAME".
    """
    if spec.model.strategy == "convnet":
        digits = "".join(c for c in key if c in "0123456789")
        pooled = key.startswith(("layer conv", "layer pool")) and digits
        return _toggle_pooling(spec, int(digits)) if pooled else ()
    if spec.base is None:
        return ()
    names = trainable_names(spec.base_table, toggle_layers(spec, key), spec.base.batch_norm)
    return (format_setting("base.trainable", names),)


def _toggle_pooling(spec: ExperimentSpec, block: int) -> Settings:
    """Remove or restore the pooling of a convnet's block; blocks count from 1."""
    pooling = list(spec.model.convolutions.pooling)
    if block > len(pooling):
        return ()
    pooling[block - 1] = not pooling[block - 1]
    return (format_setting("model.pooling", pooling),)


def train_upper_blocks(spec: ExperimentSpec) -> Settings:
    """Train only the upper blocks of the base."""
    return (
        (format_setting("base.trainable", list(spec.base_table.top_blocks)),) if spec.base else ()
    )


def toggle_error(spec: ExperimentSpec, layers: Sequence[Layer], key: str) -> str:
    """Return why the row of a network with a base cannot be toggled; "" if it can.

    Args:
        spec: of the experiment.
        layers: of its network.
        key: as in `toggle_row`.
    """
    kind, _, name = key.partition(" ")
    base = spec.base
    layer = next((layer for layer in layers if layer.name == name), None)
    if base is None or name == "head" or (layer and kind == "layer" and layer.block == "head"):
        return tr("The head is new and starts at random: it always trains.")
    block = name if kind == "block" else layer.block if layer else ""
    able = trainable_layers(spec.base_table, block, base.batch_norm)
    if name in able or (kind == "block" and able):
        return ""
    if layer and layer.parameters:
        return tr("Batch normalization stays frozen; base.batch_norm = adapt would let it train.")
    return tr("{name} has no weights to train.", name=name)


class LayersStep(LayersView, StepScreen):
    """Choose the layers to train; the draft stores every change.

    Args:
        draft: with the facts of its images.
        spec: of the draft.
        benchmark: of this machine; None if it was not measured.
        then: called with the changed spec when the choice is made.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_row", tr("Toggle"), id="layers.toggle"),
        Binding("U", "upper", tr("Upper only"), key_display="U", id="layers.upper"),
        # With priority: the table would take the key.
        Binding("enter", "continue", tr("Continue"), id="layers.continue", priority=True),
        *(
            Binding(key, f"take_advice({i})", show=False, id=f"layers.advice-{key}")
            for i, key in enumerate(ADVICE_KEYS)
        ),
    ]
    CHECKED = False
    STEP = 3

    def __init__(
        self,
        draft: Draft,
        spec: ExperimentSpec,
        benchmark: BenchmarkResult | None,
        then: Callable[[ExperimentSpec], None],
    ) -> None:
        assert draft.facts is not None
        super().__init__()
        self.draft = draft
        self.spec = spec
        self._facts = draft.facts
        self._images = expected_images(draft.facts, spec.data.split)
        self._speed = benchmark.speed if benchmark else None
        self._then = then
        self._stage: int | None = None  # None for the last one, which the choice is about
        self._refusal = ""

    def spec_shown(self) -> ExperimentSpec | None:
        """Return the draft's spec."""
        return self.spec

    def on_mount(self) -> None:
        """Show the current choice."""
        self.show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what applies to the strategy."""
        strategy = self.spec.model.strategy
        if action == "upper":
            return strategy == "fine-tuning"
        if action == "next_stage":
            return len(plan_stages(self.spec)) > 1
        return action != "toggle_row" or strategy in ("fine-tuning", "convnet")

    def action_toggle_row(self) -> None:
        """Toggle the selected block or layer; in a convnet the pooling of its block."""
        key = self.query_one(LayerTable).selected
        if self.spec.base and (error := toggle_error(self.spec, self.network, key)):
            self._refusal = error
            self.show()
        else:
            self._change(toggle_row(self.spec, key))

    def action_upper(self) -> None:
        """Train only the upper blocks of the base."""
        self._change(train_upper_blocks(self.spec))

    def action_next_stage(self) -> None:
        """Show the next stage, after the last the first."""
        count = len(plan_stages(self.spec))
        shown = count - 1 if self._stage is None else self._stage
        self._stage = (shown + 1) % count
        self.show()

    def action_take_advice(self, index: int) -> None:
        """Change the settings as a piece of advice proposes."""
        advice = self._advice()
        if index < len(advice) and advice[index].fix:
            self._change(advice[index].fix)

    def action_continue(self) -> None:
        """Pass the spec on: the start is next."""
        self.go_on()

    def go_on(self) -> None:
        """Complete the step: the start is next."""
        self._then(self.spec)
        self.refresh_heading()

    def _change(self, settings: Settings) -> None:
        """Change settings, in the draft too; show why if the spec does not allow them."""
        if not settings:
            return
        try:
            self.spec = parse_spec(apply_settings(spec_tree(self.spec), settings), "")
        except UserError as error:
            self._refusal = error.message.removeprefix(": ")
        else:
            self._refusal, self._stage = "", None
            self.draft.set_spec(self.spec)
            self.draft.complete_step("strategy")
        self.show()

    def show(self) -> None:
        """Draw the table and what follows from the choice."""
        forecast = make_forecast(self.spec, self._facts, self._speed)
        last = len(forecast.costs) - 1
        index = last if self._stage is None else min(self._stage, last)
        layers = layers_of_spec(self.spec, self._facts.classes, forecast.costs[index].stage)
        fields = receptive_fields(self.spec, self._facts.classes)
        self.draw(self._title(), layers, fields, self._details(forecast, index))

    def _title(self) -> Text:
        strategy = self.spec.model.strategy
        text = Text(describe_network(self.spec))
        if self.spec.base:
            text.append(f"   {strategy}", "dim")
        if reason := WITHOUT_CHOICE.get(strategy):
            text.append(f"\n{reason}", self.color("secondary"))
        return text

    def _advice(self) -> tuple[SpecAdvice, ...]:
        return advise(self.spec, self._images, self._facts.classes)

    def _details(self, forecast: Forecast, index: int) -> list[Text]:
        lines = []
        if self._refusal:
            refusal = safe_text(self._refusal, 400)
            lines.append(labelled_line(tr("refused"), refusal, self.color("error")))
        cost = forecast.costs[index]
        lines.append(self.totals_line(cost.trainable, cost.parameters))
        if prefix := describe_prefix_cost(self.spec, forecast, index):
            lines.append(labelled_line(tr("prefix"), prefix))
        lines.append(labelled_line(tr("cost"), describe_cost(forecast, index)))
        for stage in (one.stage for one in forecast.costs):
            style = "" if stage.index == index else "dim"
            line = f"{stage.index + 1} {describe_stage(planned_row(stage), History())}"
            lines.append(labelled_line("" if stage.index else tr("plan"), line, style))
        return lines + self._advice_lines()

    def _advice_lines(self) -> list[Text]:
        advice = self._advice()
        if not advice and self.spec.model.strategy == "fine-tuning":
            epochs = plural(self.spec.training.head_epochs, "epoch")
            ok = tr("ok: the head trains {epochs} first", epochs=epochs)
            if self.spec.training.head_start == "solved":
                ok = tr("ok: the head is solved first")
            return [labelled_line(tr("advice"), ok, self.color("success"))]
        # A low terminal shows one at a time; after it is taken, the next one.
        is_high = self.app.size.height >= HIGH_ROWS
        keys = ADVICE_KEYS if is_high else ADVICE_KEYS[:1]
        lines = []
        for key, piece in zip(keys, advice, strict=False):
            line = labelled_line(tr("advice"), piece.sentence, self.color("warning"))
            lines.append(line.append(f" {key}: {piece.offer}" if piece.fix else "", "bold"))
        if more := len(advice) - len(lines):
            lines[-1].append(tr("  and {more} more", more=more), "dim")
        return lines
