"""Layers: what is frozen, in a run as it really was, and in a draft as one chooses it."""

import contextlib
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Static

from workbench.errors import UserError
from workbench.experiment.cost import StageCost, stage_costs
from workbench.experiment.facts import DataFacts, expected_images
from workbench.experiment.plan import plan_stages
from workbench.experiment.sections import BaseSpec
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.spec_advice import (
    Advice,
    Forecast,
    advise,
    forecast,
    prefix_in_words,
    setting,
    toggled,
    top_blocks,
    trainable_layers,
    trainable_names,
)
from workbench.experiment.toml import apply_settings, parse_spec, spec_tree
from workbench.machine.figures import Figures
from workbench.runs.history import History
from workbench.runs.rows import StageRow, whole
from workbench.text import plural, safe_text
from workbench.ui.feed import Runs, RunView
from workbench.ui.layer_rows import (
    Layer,
    below_of,
    block_in_words,
    groups_of,
    hanging,
    layers_of_spec,
    layers_of_stage,
    named_line,
    network_in_words,
    planned_row,
    shape_in_words,
    stage_in_words,
)
from workbench.ui.marks import bar
from workbench.ui.screens.base import WorkbenchScreen
from workbench.ui.widgets.layer_table import LayerTable

CONCEPTS = (
    "freezing", "recompiling", "head-first", "upper-layers", "batch-norm", "parameters",
    "border-effect", "max-pooling",
)  # fmt: skip
LONGEST_BAR = 24  # cells
MEND_KEYS = "fghk"
ROOMY = 32  # rows of a terminal in which all advice is shown
_CHOICELESS = {
    "dense": "A dense network has nothing pretrained to freeze: every layer trains.",
    "convnet": "A convnet starts from random weights, so every layer trains. space or 1-9 take "
    "the pooling of a block away, or put it back: watch the parameters.",
    "feature-extraction": "Feature extraction trains the head alone. To unfreeze blocks of the "
    "base, choose fine-tuning as the strategy.",
}


class _LayersScreen(WorkbenchScreen):
    """The table, a line on the layer under the cursor, and what it amounts to."""

    CONCEPTS = CONCEPTS
    CSS = """
    LayersScreen, ChooseLayersScreen, LayersStep {
        #title { height: auto; margin-bottom: 1; }
        LayerTable { height: 1fr; max-height: 100%; min-height: 5; }
        LayerTable:focus { background-tint: $background 0%; }
        #here { height: 1; margin-bottom: 1; color: $secondary; }
        #details { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(str(n), f"number({n})", show=False) for n in range(1, 10)
    ]
    TRUTH = True

    def compose_body(self) -> ComposeResult:
        """From what it is about to what follows from it."""
        yield Static(id="title")
        yield LayerTable(self.TRUTH, self.workbench.utf8)
        yield Static(id="here")
        yield Static(id="details")

    def on_mount(self) -> None:
        """The table takes the keys."""
        self.query_one(LayerTable).focus()

    def on_resize(self) -> None:
        """A wide terminal has a column for verdicts."""
        self.show()

    def show(self) -> None:
        """Draws everything anew."""

    def stage_layers(self) -> Sequence[Layer]:
        """Those of the stage that is shown."""
        return ()

    def spec_shown(self) -> ExperimentSpec | None:
        """The spec, None where it cannot be read."""
        return None

    @on(DataTable.RowHighlighted)
    def _highlighted(self) -> None:
        self._show_here()

    def _show_here(self) -> None:
        """How the layer under the cursor changes the size of what it reads."""
        table, spec = self.query_one(LayerTable), self.spec_shown()
        layers = self.stage_layers()
        kind, _, name = table.chosen.partition(" ")
        layer = next((layer for layer in layers if layer.name == name), None)
        words = block_in_words(layers, name) if kind == "block" else ""
        if kind == "layer" and layer:
            image = spec.data.input_shape if spec else ()
            stack = spec.model.convolutions if spec and spec.model.strategy == "convnet" else None
            words = shape_in_words(layer, below_of(layers, name, image), stack)
            told = f"{layer.name}  {layer.kind}" + (f", {words}" if words else "")
            words = safe_text(told, 200)
        self.query_one("#here", Static).update(Text(words, no_wrap=True, overflow="ellipsis"))

    def color(self, name: str) -> str:
        """A colour of the theme for Text."""
        return self.app.theme_variables.get(name, "")

    def totals_line(self, trainable: int, parameters: int) -> Text:
        """Trainable and frozen, with a bar."""
        share = trainable / parameters if parameters else 0.0
        percent = f"{share:.1%}" if 0 < share < 0.005 else f"{share:.0%}"
        frozen = f"{parameters - trainable:,} frozen"
        words = f"{trainable:,} of {parameters:,} trainable, {frozen} {percent:>4} "
        line = named_line("parameters", words)
        room = self.app.size.width - 2 - len(line)
        return line.append(
            bar(share, min(max(room, 4), LONGEST_BAR), self.workbench.utf8), self.color("accent")
        )

    def show_details(self, lines: Sequence[Text]) -> None:
        """Draws named lines."""
        room = self.app.size.width - 2
        self.query_one("#details", Static).update(hanging(lines, room, self.app.console))


class LayersScreen(_LayersScreen):
    """The freeze truth of a run: requested, compiled, moved; live while it trains.

    Args:
        run: its name.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "number(1)", "Stage", key_display="1-9", id="stage"),
    ]

    def __init__(self, run: str) -> None:
        super().__init__()
        self._run = run
        self._stage: int | None = None  # None follows the stage at work
        self._view: RunView | None = None
        self._spec: ExperimentSpec | None = None

    def heading(self) -> Text:
        """The run, and how it stands."""
        text = Text.assemble((safe_text(self._run, 40), "bold"), "  layers")
        if self._view:
            text.append(f"   {self._view.summary.state.word}, {self._place()}", "dim")
        return text

    def on_mount(self) -> None:
        """Shows what is known and all that comes."""
        self.watch(self.app, "runs", self._runs_changed)

    def spec_shown(self) -> ExperimentSpec | None:
        """The run's spec; None for one of another version."""
        return self._spec

    def action_number(self, number: int) -> None:
        """Shows another stage."""
        count = len(self._plan()) or (max(self._history.stages, default=-1) + 1)
        if number > count:
            self.notify(f"The plan has {plural(count, 'stage')}.", severity="warning")
            return
        self._stage = number - 1
        self.show()

    @on(DataTable.RowSelected)
    def _selected(self) -> None:
        self.query_one(LayerTable).toggle_block()

    def _runs_changed(self, runs: Runs) -> None:
        view = next((view for view in runs if view.name == self._run), None)
        if view is None or view is self._view:
            if view is None:
                self.show()
            return
        if self._view is None or self._spec is None:
            with contextlib.suppress(UserError):
                self._spec = parse_spec(view.spec, "spec.toml")
        self._view = view
        self.show()

    @property
    def _history(self) -> History:
        return self._view.history if self._view else History()

    @property
    def stage(self) -> int:
        """Index of the stage that is shown: the chosen one, else the newest that has begun."""
        return max(self._history.stages, default=0) if self._stage is None else self._stage

    def _plan(self) -> list[StageCost]:
        return stage_costs(self._spec, self._label_count) if self._spec else []

    @property
    def _label_count(self) -> int:
        return max(len(self._history.labels), 2)

    def stage_layers(self) -> Sequence[Layer]:
        """As told by the run where the stage has begun, else as the plan has them."""
        index, history = self.stage, self._history
        if index in history.stages:
            return layers_of_stage(history.stages[index].event, history.layers.get(index))
        plan = self._plan()
        if self._spec is None or index >= len(plan):
            return ()
        return layers_of_spec(self._spec, self._label_count, plan[index].stage)

    def show(self) -> None:
        """Title, table and what it amounts to."""
        self.refresh_heading()
        self.query_one("#title", Static).update(self._title())
        self.query_one(LayerTable).show_layers(groups_of(self.stage_layers()))
        self._show_here()
        self.show_details(self._details())

    def _title(self) -> Text:
        if self._view is None:
            return Text(f"There is no run {safe_text(self._run, 40)} in the workspace.")
        if self._spec is None:
            return Text("Its spec is of another version; what it told of its layers is shown.")
        return Text(network_in_words(self._spec))

    def _place(self) -> str:
        """Which stage is shown, and of what moment."""
        history, index = self._history, self.stage
        count = max(len(self._plan()), max(history.stages, default=0) + 1)
        place = f"stage {index + 1} of {count}"
        if index not in history.stages:
            return f"{place}, as planned: it has not begun"
        epoch = whole(history.layers.get(index, {}).get("epoch"))
        return f"{place}, after epoch {epoch}" if epoch else f"{place}, before its first epoch ends"

    def _details(self) -> list[Text]:
        plan, index, history = self._plan(), self.stage, self._history
        stage = history.stages.get(index)
        cost = plan[index] if index < len(plan) else None
        lines = []
        event = stage.event if stage else {}
        parameters = whole(event.get("parameters")) or (cost.parameters if cost else None)
        trainable = whole(event.get("trainable_parameters"))
        if trainable is None:
            trainable = cost.trainable if cost else None
        if parameters and trainable is not None:
            lines.append(self.totals_line(trainable, parameters))
        if (stage and self._spec and self._spec.base) or event.get("prefix"):
            lines.append(named_line("prefix", self._prefix(stage)))
        stages = {**{c.stage.index: planned_row(c.stage) for c in plan}, **history.stages}
        for at, row in sorted(stages.items()):
            style = "" if at == index else "dim"
            name = "plan" if at == min(stages) else ""
            lines.append(named_line(name, f"{at + 1} {stage_in_words(row, history)}", style))
        return lines

    def _prefix(self, stage: StageRow | None) -> str:
        event = stage.event if stage else {}
        cut = str(event["prefix"]) if event.get("prefix") else None
        table = self._spec.base_table if self._spec and self._spec.base else None
        return prefix_in_words(table, cut, event.get("cached") is True, past=True)


class ChooseLayersScreen(_LayersScreen):
    """Which layers a draft trains, and what that costs, told at every change.

    Args:
        facts: of the data.
        figures: what the machine was measured to do; None where it was not.
        on_done: called with the changed spec when the choice is made.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_row", "Toggle", id="toggle"),
        Binding("u", "upper", "Upper only", id="upper"),
        # First in line: the table would take the key for itself.
        Binding("enter", "done", "Done", id="done", priority=True),
        *(Binding(key, f"mend({i})", show=False) for i, key in enumerate(MEND_KEYS)),
    ]
    TRUTH = False

    def __init__(
        self,
        spec: ExperimentSpec,
        facts: DataFacts,
        figures: Figures | None,
        on_done: Callable[[ExperimentSpec], None],
    ) -> None:
        super().__init__()
        self.spec = spec
        self._facts = facts
        self._figures = figures
        self._on_done = on_done
        self._stage: int | None = None  # None is the last one, which the choice is about
        self._refusal = ""

    def heading(self) -> Text:
        """What is chosen here."""
        return Text.assemble(("layers", "bold"), "  which of them train")

    def spec_shown(self) -> ExperimentSpec | None:
        """The draft."""
        return self.spec

    def stage_layers(self) -> Sequence[Layer]:
        """As the plan has them."""
        stages = plan_stages(self.spec)
        index = len(stages) - 1 if self._stage is None else self._stage
        return layers_of_spec(self.spec, self._facts.classes, stages[index])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only keys that do something here."""
        tuning = self.spec.model.strategy == "fine-tuning"
        if action == "upper":
            return tuning
        return tuning or self.spec.model.strategy == "convnet" if action == "toggle_row" else True

    def action_toggle_row(self) -> None:
        """Switches the block or layer under the cursor on or off."""
        key = self.query_one(LayerTable).chosen
        if self.spec.model.strategy == "convnet":
            digits = "".join(c for c in key if c.isdigit())
            if key.startswith(("layer conv", "layer pool")) and digits:
                self._toggle_pooling(int(digits))
        elif why := self._fixed(key):
            self._refusal = why
            self.show()
        elif self.spec.base:
            self._train(toggled(self.spec, key), self.spec.base)

    def action_upper(self) -> None:
        """Trains the upper part of the base alone."""
        if self.spec.base:
            self._change((setting("base.trainable", top_blocks(self.spec.base_table)),))

    def action_number(self, number: int) -> None:
        """Shows another stage; in a convnet toggles the pooling of a block."""
        if self.spec.model.strategy == "convnet":
            self._toggle_pooling(number)
        elif number <= len(plan_stages(self.spec)):
            self._stage = number - 1
            self.show()

    def action_mend(self, index: int) -> None:
        """Does what a piece of advice offers."""
        advice = self._advice()
        if index < len(advice):
            self._change(advice[index].mend)

    def action_done(self) -> None:
        """Hands the spec over and goes back."""
        self.action_back()
        self._on_done(self.spec)

    def _fixed(self, key: str) -> str:
        """Why a row cannot be chosen; "" where it can."""
        kind, _, name = key.partition(" ")
        base = self.spec.base
        layer = next((layer for layer in self.stage_layers() if layer.name == name), None)
        if base is None or name == "head" or (layer and kind == "layer" and layer.block == "head"):
            return "The head is new and starts at random: it always trains."
        table = self.spec.base_table
        block = name if kind == "block" else layer.block if layer else ""
        able = trainable_layers(table, block, base.batch_norm)
        if kind == "block" and not able:
            return f"{name} has no weights to train."
        if kind == "block" or name in able:
            return ""
        if layer and layer.parameters:
            return "Batch normalization stays frozen; base.batch_norm = adapt would let it train."
        return f"{name} has no weights to train."

    def _train(self, layers: set[str], base: BaseSpec) -> None:
        names = trainable_names(self.spec.base_table, layers, base.batch_norm)
        self._change((setting("base.trainable", names),))

    def _toggle_pooling(self, block: int) -> None:
        pooling = list(self.spec.model.convolutions.pooling)
        if block <= len(pooling):
            pooling[block - 1] = not pooling[block - 1]
            self._change((setting("model.pooling", pooling),))

    def _change(self, settings: tuple[str, ...]) -> None:
        """Takes settings over where the spec allows them, else says why not."""
        try:
            self.spec = parse_spec(apply_settings(spec_tree(self.spec), settings), "")
            self._refusal, self._stage = "", None
        except UserError as error:
            self._refusal = error.message.removeprefix(": ")
        self.show()

    def show(self) -> None:
        """The table and everything that follows from the choice."""
        strategy = self.spec.model.strategy
        text = Text(network_in_words(self.spec))
        if self.spec.base:
            text.append(f"   {strategy}", "dim")
        if why := _CHOICELESS.get(strategy):
            text.append(f"\n{why}", self.color("secondary"))
        self.query_one("#title", Static).update(text)
        self.query_one(LayerTable).show_layers(groups_of(self.stage_layers()))
        self._show_here()
        self.show_details(self._details())

    def _forecast(self) -> Forecast:
        images = expected_images(self._facts, self.spec.data.split)
        speed = self._figures.speed if self._figures else None
        return forecast(self.spec, self._facts.classes, images, speed, self._stage)

    def _advice(self) -> tuple[Advice, ...]:
        images = expected_images(self._facts, self.spec.data.split)
        return advise(self.spec, images, self._facts.classes)[: len(MEND_KEYS)]

    def _details(self) -> list[Text]:
        told = self._forecast()
        lines = [self.totals_line(told.cost.trainable, told.cost.parameters)]
        if self._refusal:
            lines.insert(
                0, named_line("refused", safe_text(self._refusal, 400), self.color("error"))
            )
        if told.prefix:
            lines.append(named_line("prefix", told.prefix))
        lines += [named_line("cost", told.seconds)]
        for stage in told.plan:
            style = "" if stage.index == told.cost.stage.index else "dim"
            words = f"{stage.index + 1} {stage_in_words(planned_row(stage), History())}"
            lines.append(named_line("" if stage.index else "plan", words, style))
        advice = self._advice()
        # A low terminal shows one at a time; mending it brings the next.
        shown = advice if self.app.size.height >= ROOMY else advice[:1]
        for key, piece in zip(MEND_KEYS, shown, strict=False):
            line = named_line("advice", piece.sentence, self.color("warning"))
            lines.append(line.append(f" {key}: {piece.offer}", "bold"))
        if more := len(advice) - len(shown):
            lines[-1].append(f"  and {more} more", "dim")
        if not advice and self.spec.model.strategy == "fine-tuning":
            first = f"ok: the head trains {plural(self.spec.training.head_epochs, 'epoch')} first"
            lines.append(named_line("advice", first, self.color("success")))
        return lines
