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
    below_of,
    block_in_words,
    hanging,
    named_line,
    shape_in_words,
)
from workbench.render.marks import bar
from workbench.runs.freeze_check import Layer, groups_of
from workbench.text import safe_text
from workbench.ui.layers.table import LayerTable
from workbench.ui.screen import WorkbenchScreen

LONGEST_BAR = 24  # cells
# Where there is no base, nothing is frozen.
CONCEPTS_WITHOUT_BASE = {
    "convnet": ("max-pooling", "border-effect", "stride", "parameters", "flatten"),
    "dense": ("parameters", "flatten"),
}


class LayersView(WorkbenchScreen):
    """The table, a line on the layer under the cursor, and what it amounts to.

    Attributes:
        TRUTH: whether there is something to tell of what was compiled and what moved.
        network: the layers that are shown.
    """

    CONCEPTS = (
        "freezing", "recompiling", "head-first", "upper-layers", "batch-norm", "parameters",
        "border-effect", "max-pooling",
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(str(n), f"number({n})", show=False) for n in range(1, 10)
    ]
    TRUTH: ClassVar[bool]

    network: Sequence[Layer] = ()
    _drawn_for = Size()

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
        """A wide terminal has a column for verdicts, a high one more advice."""
        if self._drawn_for != self.app.size:
            self.show()

    def concepts(self) -> tuple[str, ...]:
        """What there is to understand in a network of this kind."""
        spec = self.spec_shown()
        strategy = spec.model.strategy if spec else ""
        return CONCEPTS_WITHOUT_BASE.get(strategy, self.CONCEPTS)

    def show(self) -> None:
        """Draws everything anew."""
        raise NotImplementedError

    def spec_shown(self) -> ExperimentSpec | None:
        """The spec, None where it cannot be read."""
        raise NotImplementedError

    def draw(self, title: Text, layers: Sequence[Layer], details: Sequence[Text]) -> None:
        """Draws title, table and what it amounts to."""
        self.network = layers
        self._drawn_for = self.app.size
        self.query_one("#title", Static).update(title)
        self.query_one(LayerTable).show_layers(groups_of(layers))
        self._show_here()
        lines = hanging(details, self.app.size.width - 2, self.app.console)
        self.query_one("#details", Static).update(lines)

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

    @on(DataTable.RowHighlighted)
    def _show_here(self) -> None:
        """How the layer under the cursor changes the size of what it reads."""
        kind, _, name = self.query_one(LayerTable).chosen.partition(" ")
        layer = next((layer for layer in self.network if layer.name == name), None)
        words = ""
        if kind == "block":
            words = block_in_words(self.network, name)
        elif layer:
            words = self._layer_in_words(layer)
        self.query_one("#here", Static).update(Text(words), layout=False)

    def _layer_in_words(self, layer: Layer) -> str:
        spec = self.spec_shown()
        image = spec.data.input_shape if spec else ()
        stack = spec.model.convolutions if spec and spec.model.strategy == "convnet" else None
        words = shape_in_words(layer, below_of(self.network, layer.name, image), stack)
        return safe_text(f"{layer.name}  {layer.kind}" + (f", {words}" if words else ""), 200)
