"""The layers of a run: what was frozen, as the freeze check found it."""

from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.widgets import DataTable, Static

from workbench.errors import UserError
from workbench.experiment.cost import StageCost, stage_costs
from workbench.experiment.receptive_field import LayerField, receptive_fields
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.spec_advice import describe_prefix
from workbench.experiment.toml import parse_spec
from workbench.messages import tr
from workbench.render.layers import (
    describe_block,
    describe_network,
    describe_shape_change,
    describe_stage,
    hanging_indent,
    input_shape_of,
    labelled_line,
    planned_row,
)
from workbench.render.marks import bar
from workbench.render.network_picture import (
    NetworkPicture,
    explain_part,
    make_picture,
)
from workbench.runs.freeze_check import Layer, group_by_block, layers_of_spec, layers_of_stage
from workbench.runs.history import History, StageRow
from workbench.runs.watch import Runs, RunView
from workbench.text import cut_cells, format_count, safe_text, small_percent
from workbench.ui.base import HIGH_ROWS, WIDE_COLUMNS, WorkbenchScreen
from workbench.ui.layers.table import LayerTable
from workbench.ui.layers.within import LayersWithin
from workbench.words import shown

MAX_BAR = 24  # cells
# Without a base, nothing is frozen.
CONCEPTS_WITHOUT_BASE = {
    "convnet": ("max-pooling", "border-effect", "stride", "parameters", "flatten"),
    "dense": ("parameters", "flatten"),
}


class LayersView(WorkbenchScreen):
    """The table, a line about the selected layer, and the totals.

    Attributes:
        CHECKED: True to show what was compiled and what moved.
        network: the layers that are shown.
        picture: what they are in numbers.
    """

    CONCEPTS = (
        "freezing", "recompiling", "head-first", "upper-layers", "layer-rates", "batch-norm",
        "parameters", "border-effect", "max-pooling",
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "v", "next_stage", tr("Stage"), id="layers.stage", tooltip=tr("show the next stage")
        ),
    ]
    CHECKED: ClassVar[bool]

    network: Sequence[Layer] = ()
    picture = NetworkPicture()
    _drawn_for = Size()

    def compose_body(self) -> ComposeResult:
        """Yield title, table, selected layer, details, and what is in the selected block."""
        yield Static(id="title")
        yield LayerTable(self.CHECKED, self.workbench.utf8)
        yield Static(id="here")
        yield Static(id="details")
        yield LayersWithin()

    def on_mount(self) -> None:
        """Focus the table."""
        self.query_one(LayerTable).focus()

    def on_resize(self) -> None:
        """Redraw at the new size."""
        if self._drawn_for != self.app.size:
            self.show()

    def concepts(self) -> tuple[str, ...]:
        """Return the concepts of this kind of network."""
        spec = self.spec_shown()
        strategy = spec.model.strategy if spec else ""
        return CONCEPTS_WITHOUT_BASE.get(strategy, self.CONCEPTS)

    def show(self) -> None:
        """Draw everything."""
        raise NotImplementedError

    def spec_shown(self) -> ExperimentSpec | None:
        """Return the spec, None if it cannot be read."""
        raise NotImplementedError

    def draw(
        self,
        title: Text,
        layers: Sequence[Layer],
        fields: Sequence[LayerField],
        details: Sequence[Text],
    ) -> None:
        """Draw title, table and details; `fields` are those of the layers, () if unknown."""
        spec, groups = self.spec_shown(), group_by_block(layers)
        self.network = layers
        self.picture = make_picture(groups, fields, spec.data.input_shape if spec else ())
        self._drawn_for = self.app.size
        self.set_class(self._explains, "-explained")
        self.query_one("#title", Static).update(title)
        self.query_one(LayerTable).show_layers(groups, self.picture)
        self._show_selected()
        lines = hanging_indent(details, self.app.size.width - 2, self.app.console)
        self.query_one("#details", Static).update(lines)

    def totals_line(self, trainable: int, parameters: int) -> Text:
        """Return the numbers of trainable and frozen parameters, with a bar."""
        share = trainable / parameters if parameters else 0.0
        share_text = small_percent(share)
        totals = tr(
            "{trainable:,} of {all:,} ({percent}) trainable, {frozen:,} frozen ",
            trainable=trainable,
            all=parameters,
            frozen=parameters - trainable,
            percent=share_text,
        )
        line = labelled_line(tr("parameters"), totals)
        room = self.app.size.width - 2 - line.cell_len
        return line.append(
            bar(share, min(max(room, 4), MAX_BAR), self.workbench.utf8), self.color("accent")
        )

    @on(DataTable.RowHighlighted)
    def _show_selected(self) -> None:
        """Show how the selected layer changes the shape of its input."""
        key = self.query_one(LayerTable).selected
        kind, _, name = key.partition(" ")
        layer = next((layer for layer in self.network if layer.name == name), None)
        text = ""
        if kind == "block":
            text = describe_block(self.network, name)
        elif layer:
            text = self._describe(layer)
        if not self._explains:
            self.query_one("#here", Static).update(Text(text), layout=False)
            return
        lines = [labelled_line(*line) for line in explain_part(self.picture, key)]
        room = self.app.size.width - 2
        shown = Text.assemble((cut_cells(text, room), "bold"), "\n")
        shown.append_text(hanging_indent([*lines, self._legend()], room, self.app.console))
        self.query_one("#here", Static).update(shown)
        self.query_one(LayersWithin).show(self.network, self.picture, key, self.concepts())

    @property
    def _explains(self) -> bool:
        """Whether there is room to explain a block in sentences."""
        size = self.app.size
        return size.width >= WIDE_COLUMNS and size.height >= HIGH_ROWS

    def _legend(self) -> Text:
        """Return what the marks of the bars mean, and the operations of the whole network."""
        solid, shaded, side, channels = (
            ("█", "▒", "━┃", "┃━") if self.workbench.utf8 else ("#", "=", "-|", "|-")
        )
        line = labelled_line(tr("picture"), f"{solid} {tr('trains')}  {shaded} {tr('frozen')}")
        if self.query_one(LayerTable).draws_maps:
            line.append(f"  {side} {tr('side of the map')}  {channels} {tr('channels')}")
            line.append(" " + tr("(square roots)"))
        if adds := self.picture.whole.multiply_adds:
            count = format_count(adds)
            line.append("  ").append(tr("all: {count} multiply-adds an image", count=count))
        line.stylize("dim")
        return line

    def _describe(self, layer: Layer) -> str:
        spec = self.spec_shown()
        image = spec.data.input_shape if spec else ()
        stack = spec.model.convolutions if spec and spec.model.strategy == "convnet" else None
        change = describe_shape_change(
            layer, input_shape_of(self.network, layer.name, image), stack
        )
        return safe_text(
            f"{layer.name}  {shown(layer.kind)}" + (f", {change}" if change else ""), 200
        )


class LayersScreen(LayersView):
    """Show the freeze check of a run, live: requested, compiled, moved.

    Args:
        run: name of the run.
    """

    CHECKED = True

    def __init__(self, run: str) -> None:
        super().__init__()
        self.run = run
        self._stage: int | None = None  # None for the running stage
        self._view: RunView | None = None
        self._spec: ExperimentSpec | None = None
        self._plan: list[StageCost] = []
        self._fields: list[LayerField] = []

    def heading(self) -> Text:
        """Return the run's name, its state, and the stage."""
        text = Text.assemble((safe_text(self.run, 40), "bold"), "  " + tr("layers"))
        if self._view:
            phase = self._view.summary.state.phase
            text.append(f"   {shown(phase)}, {self._describe_stage()}", "dim")
        return text

    def on_mount(self) -> None:
        """Show what is known already."""
        self.runs_changed(self.workbench.runs)

    def spec_shown(self) -> ExperimentSpec | None:
        """Return the run's spec; None for one of another version."""
        return self._spec

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the next stage if there is one."""
        return action != "next_stage" or self._stage_count > 1

    def action_next_stage(self) -> None:
        """Show the next stage, after the last the first."""
        self._stage = (self.stage + 1) % self._stage_count
        self.show()

    @on(DataTable.RowSelected)
    def _selected(self) -> None:
        self.query_one(LayerTable).toggle_block()

    def runs_changed(self, runs: Runs) -> None:
        """Redraw if the run changed."""
        view = self.workbench.find_run(self.run)
        if view is not None and view is self._view:
            return
        if view is not None:
            self._update_view(view)
            self.refresh_bindings()
        self.show()

    def _update_view(self, view: RunView) -> None:
        """Take the newest view of the run; what depends on its spec is computed once."""
        labels = len(self._history.labels)
        self._view = view
        if self._spec is None:
            with suppress(UserError):
                self._spec = parse_spec(view.spec, "spec.toml")
        if self._spec and (not self._plan or labels != len(self._history.labels)):
            self._plan = stage_costs(self._spec, self._label_count)
            self._fields = receptive_fields(self._spec, self._label_count)

    @property
    def _history(self) -> History:
        return self._view.history if self._view else History()

    @property
    def _label_count(self) -> int:
        return max(len(self._history.labels), 2)

    @property
    def _stage_count(self) -> int:
        return len(self._plan) or (max(self._history.stages, default=-1) + 1)

    @property
    def stage(self) -> int:
        """Index of the stage that is shown: the chosen one, else the newest."""
        return max(self._history.stages, default=0) if self._stage is None else self._stage

    def show(self) -> None:
        """Draw the stage."""
        self.refresh_heading()
        self.draw(self._title(), self._stage_layers(), self._fields, self._details())

    def _stage_layers(self) -> tuple[Layer, ...]:
        """Return the layers as the run recorded them, or as planned."""
        index, history = self.stage, self._history
        if index in history.stages:
            return layers_of_stage(history.stages[index].started, history.layers.get(index))
        if self._spec is None or index >= len(self._plan):
            return ()
        return layers_of_spec(self._spec, self._label_count, self._plan[index].stage)

    def _title(self) -> Text:
        if self._view is None:
            return Text(tr("There is no run {run} in the workspace.", run=safe_text(self.run, 40)))
        if self._spec is None:
            return Text(tr("Its spec is of another version; the layers are those it recorded."))
        return Text(describe_network(self._spec))

    def _describe_stage(self) -> str:
        history, index = self._history, self.stage
        count = max(len(self._plan), max(history.stages, default=0) + 1)
        stage = tr("stage {number} of {count}", number=index + 1, count=count)
        if index not in history.stages:
            return tr("{stage}, as planned: it has not started", stage=stage)
        checked = history.layers.get(index)
        epoch = checked.epoch if checked else None
        return (
            tr("{stage}, after epoch {epoch}", stage=stage, epoch=epoch)
            if epoch
            else tr("{stage}, before its first epoch ends", stage=stage)
        )

    def _details(self) -> list[Text]:
        plan, index, history = self._plan, self.stage, self._history
        stage = history.stages.get(index)
        cost = plan[index] if index < len(plan) else None
        lines = []
        started = stage.started if stage else None
        parameters = (started and started.parameters) or (cost.parameters if cost else None)
        trainable = started.trainable_parameters if started else None
        if trainable is None:
            trainable = cost.trainable if cost else None
        if parameters and trainable is not None:
            lines.append(self.totals_line(trainable, parameters))
        if (stage and self._spec and self._spec.base) or (started and started.prefix):
            lines.append(labelled_line(tr("prefix"), self._describe_prefix(stage)))
        stages = {**{c.stage.index: planned_row(c.stage) for c in plan}, **history.stages}
        for at, row in sorted(stages.items()):
            style = "" if at == index else "dim"
            name = tr("plan") if at == min(stages) else ""
            lines.append(labelled_line(name, f"{at + 1} {describe_stage(row, history)}", style))
        return lines

    def _describe_prefix(self, stage: StageRow | None) -> str:
        cut = (stage.started.prefix or None) if stage else None
        cached = stage.started.cached if stage else False
        table = self._spec.base_table if self._spec and self._spec.base else None
        return describe_prefix(table, cut, cached, past=True)
