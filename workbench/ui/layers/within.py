"""What stands below all else on a high terminal: the layers of a block, and what they rest on."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.geometry import Size
from textual.widget import Widget

from workbench.messages import tr
from workbench.render.network_picture import NetworkPicture, layers_within
from workbench.runs.freeze_check import FROZEN, Layer, group_by_block
from workbench.ui.widgets.concept_notes import ConceptNotes

# Concepts that explain a kind of layer.
KINDS = {
    "convolution": ("local-patterns", "receptive-field", "border-effect"),
    "depthwise convolution": ("local-patterns", "receptive-field"),
    "max pooling": ("max-pooling", "spatial-hierarchy"),
    "flatten": ("flatten",),
    "dense": ("parameters", "activation"),
    "dropout": ("dropout", "overfitting"),
    "batch normalization": ("batch-norm",),
}


class LayerLines(Widget):
    """Rows of a table under a line of headings, those that fit."""

    DEFAULT_CSS = """
    LayerLines { width: auto; height: 1fr; margin-right: 4; }
    """

    _lines: Sequence[str] = ()

    def show(self, lines: Sequence[str]) -> None:
        """Replace the lines; the first one is the headings."""
        self.display = bool(lines)
        if lines != self._lines:
            self._lines = lines
            self.refresh(layout=True)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Return the width of all lines: which of them fit is not known before the layout."""
        return max(map(cell_len, self._lines), default=0)

    def render(self) -> Text:
        """Return the lines that fit, and how many do not."""
        heading, *rows = self._lines or ("",)
        room = self.size.height - 1
        if room < 1:
            return Text()
        if len(rows) > room:
            more = tr("and {more} more", more=len(rows) - room + 1)
            rows = [*rows[: room - 1], more]
        return Text.assemble((heading, "dim"), *(f"\n{row}" for row in rows), no_wrap=True)


class LayersWithin(Horizontal):
    """The layers of the block under the cursor, and concepts beside them."""

    def compose(self) -> ComposeResult:
        """Yield layers and concepts."""
        yield LayerLines()
        yield ConceptNotes()

    def show(
        self, network: Sequence[Layer], picture: NetworkPicture, key: str, concepts: Sequence[str]
    ) -> None:
        """Show what belongs to a row.

        Args:
            network: its layers.
            picture: their numbers.
            key: "block NAME" or "layer NAME".
            concepts: of the screen; those of the row come before them.
        """
        kind, _, name = key.partition(" ")
        group = next((one for one in group_by_block(network) if one.name == name), None)
        layer = next((one for one in network if one.name == name), None)
        lines: list[str] = []
        first: tuple[str, ...] = ()
        if kind == "block" and group:
            lines = layers_within(group.layers, picture)
            trains = group.combined.requested != FROZEN
            first = ("upper-layers",) if trains and "upper-layers" in concepts else ()
        elif layer:
            first = KINDS.get(layer.kind, ())
        self.query_one(LayerLines).show(lines)
        self.query_one(ConceptNotes).show(tuple(dict.fromkeys((*first, *concepts))))
