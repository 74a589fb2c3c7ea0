"""What the layers of a run and those of a draft have in common on the screen."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.widgets import DataTable, Static

from workbench.experiment.spec import ExperimentSpec
from workbench.render.layers import (
    describe_block,
    describe_shape_change,
    hanging_indent,
    input_shape_of,
    labelled_line,
)
from workbench.render.marks import bar
from workbench.runs.freeze_check import Layer, group_by_block
from workbench.text import safe_text
from workbench.ui.layers.table import LayerTable
from workbench.ui.screen import WorkbenchScreen

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
    """

    CONCEPTS = (
        "freezing", "recompiling", "head-first", "upper-layers", "batch-norm", "parameters",
        "border-effect", "max-pooling",
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "next_stage", "Stage", id="layers.stage", tooltip="show the next stage"),
    ]
    CHECKED: ClassVar[bool]

    network: Sequence[Layer] = ()
    _drawn_for = Size()

    def compose_body(self) -> ComposeResult:
        """Yield title, table, selected layer and details."""
        yield Static(id="title")
        yield LayerTable(self.CHECKED, self.workbench.utf8)
        yield Static(id="here")
        yield Static(id="details")

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

    def draw(self, title: Text, layers: Sequence[Layer], details: Sequence[Text]) -> None:
        """Draw title, table and details."""
        self.network = layers
        self._drawn_for = self.app.size
        self.query_one("#title", Static).update(title)
        self.query_one(LayerTable).show_layers(group_by_block(layers))
        self._show_selected()
        lines = hanging_indent(details, self.app.size.width - 2, self.app.console)
        self.query_one("#details", Static).update(lines)

    def color(self, name: str) -> str:
        """Return a colour of the theme."""
        return self.app.theme_variables.get(name, "")

    def totals_line(self, trainable: int, parameters: int) -> Text:
        """Return the numbers of trainable and frozen parameters, with a bar."""
        share = trainable / parameters if parameters else 0.0
        percent = f"{share:.1%}" if 0 < share < 0.005 else f"{share:.0%}"
        frozen = f"{parameters - trainable:,} frozen"
        totals = f"{trainable:,} of {parameters:,} trainable, {frozen} {percent:>4} "
        line = labelled_line("parameters", totals)
        room = self.app.size.width - 2 - len(line)
        return line.append(
            bar(share, min(max(room, 4), MAX_BAR), self.workbench.utf8), self.color("accent")
        )

    @on(DataTable.RowHighlighted)
    def _show_selected(self) -> None:
        """Show how the selected layer changes the shape of its input."""
        kind, _, name = self.query_one(LayerTable).selected.partition(" ")
        layer = next((layer for layer in self.network if layer.name == name), None)
        text = ""
        if kind == "block":
            text = describe_block(self.network, name)
        elif layer:
            text = self._describe(layer)
        self.query_one("#here", Static).update(Text(text), layout=False)

    def _describe(self, layer: Layer) -> str:
        spec = self.spec_shown()
        image = spec.data.input_shape if spec else ()
        stack = spec.model.convolutions if spec and spec.model.strategy == "convnet" else None
        change = describe_shape_change(
            layer, input_shape_of(self.network, layer.name, image), stack
        )
        return safe_text(f"{layer.name}  {layer.kind}" + (f", {change}" if change else ""), 200)
