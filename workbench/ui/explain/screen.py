"""Inside: what a trained network sees, layer by layer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import DataTable, Input, Static

from workbench.app.error_pictures import source_of
from workbench.errors import UserError
from workbench.experiment.receptive import WHOLE, LayerSight, layer_sights
from workbench.experiment.toml import read_spec
from workbench.export.pictures import RunPictures
from workbench.paths import Workspace, given_path
from workbench.runs.results import WorstError, read_results
from workbench.runs.watch import Runs, RunView
from workbench.text import human_size, safe_text
from workbench.ui.background import in_background
from workbench.ui.explain.look import Chosen, InsideLook
from workbench.ui.pick_label import PickLabel
from workbench.ui.screen import WorkbenchScreen
from workbench.ui.widgets.path_field import PathField

STEPS, SEED = 40, 1  # of gradient ascent, as the command has them
LIKELIEST = "the likeliest"  # of the classes, where none is chosen
MOST_IN_TURN = 12  # classes that a key leads through one after the other
NAME, FIELD = 24, 6  # cells of the table's columns
HINT = (
    "Choose a layer, then: a its answers to the image, g where the image speaks for a class "
    "(Grad-CAM), f the patterns that its filters answer to most."
)


class Layers(DataTable[Text]):
    """The layers, a row each; Home and End lead to the first and the last."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("home", "scroll_top", show=False),
        Binding("end", "scroll_bottom", show=False),
    ]


@dataclass(frozen=True)
class Known:
    """What the files of a run tell.

    Attributes:
        size: (height, width) of its images, in pixels.
        worst: its worst errors, whose paths begin at `root`; none where that is not known.
    """

    sights: tuple[LayerSight, ...]
    size: tuple[int, int]
    labels: tuple[str, ...]
    worst: tuple[WorstError, ...]
    root: Path | None


class InsideScreen(WorkbenchScreen):
    """Layers at the left, what is seen at the right, the image and the class at the bottom.

    Args:
        run: its name.
    """

    CONCEPTS = ("activation", "receptive-field", "grad-cam", "spatial-hierarchy")
    CSS = """
    InsideScreen {
        #inside { height: 1fr; }
        #layers { width: 34; margin-right: 2; overflow-x: hidden; scrollbar-size-vertical: 1; }
        InsideLook { width: 1fr; }
        #here { height: 2; margin-top: 1; color: $secondary; text-wrap: nowrap; }
        #of { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        #image-path { display: none; }
        #image-path.-asked { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "a",
            "look('activations')",
            "Answers",
            id="inside.activations",
            tooltip="activations of the layer",
        ),
        Binding("g", "look('gradcam')", "Grad-CAM", id="inside.gradcam", tooltip="a heatmap"),
        Binding("f", "look('filters')", "Filters", id="inside.filters", tooltip="their patterns"),
        Binding("e", "error", "Error", id="inside.error", tooltip="the next of the worst errors"),
        Binding("o", "other", "Open", id="inside.other", tooltip="another image"),
        Binding("c", "label", "Class", id="inside.label", tooltip="of Grad-CAM"),
    ]

    def __init__(self, run: str) -> None:
        super().__init__()
        self.run = run
        self._view: RunView | None = None
        self._known: Known | None = None
        self._image: Chosen | None = None
        self._error = -1  # which of the worst errors
        self._label: str | None = None  # None is the likeliest

    def compose_body(self) -> ComposeResult:
        """Layers and the look beside each other."""
        with Horizontal(id="inside"):
            yield Layers(id="layers", cursor_type="row", cell_padding=0)
            yield InsideLook(self.workbench.workspace, self.workbench.utf8)
        yield Static(id="here")
        yield Static(id="of")
        line = PathField(id="image-path")
        line.placeholder = "/path/to/image.jpg"
        yield line

    def heading(self) -> Text:
        """The run."""
        return Text.assemble((safe_text(self.run, 40), "bold"), "  inside")

    def on_mount(self) -> None:
        """Reads what the files tell, once the run is known."""
        self.refresh_heading()
        table = self.query_one("#layers", DataTable)
        table.add_column("layer", width=NAME)
        table.add_column(Text("sees", justify="right"), width=FIELD)
        table.focus()
        self.query_one(InsideLook).say(HINT)
        self.runs_changed(self.workbench.runs)

    def runs_changed(self, runs: Runs) -> None:
        view = next((view for view in runs if view.name == self.run), None)
        if view is None or self._view is not None:
            return
        self._view = view
        workspace = self.workbench.workspace
        in_background(self, lambda: known_of(workspace, view), self._show)

    def _show(self, known: Known) -> None:
        self._known = known
        table = self.query_one("#layers", DataTable)
        for sight in known.sights:
            seen = str(sight.field.size) if sight.field else "all" if sight.why == WHOLE else "?"
            table.add_row(Text(safe_text(sight.row.name, NAME)), Text(seen, justify="right"))
        table.move_cursor(row=_last_map(known.sights))
        self.action_error()

    @on(DataTable.RowHighlighted, "#layers")
    def _show_here(self) -> None:
        if self._known and (sight := self._sight()):
            words = sight_in_words(sight, self._known.size)
            self.query_one("#here", Static).update(Text(words))

    def _sight(self) -> LayerSight | None:
        row = self.query_one("#layers", DataTable).cursor_row
        sights = self._known.sights if self._known else ()
        return sights[row] if 0 <= row < len(sights) else None

    def action_look(self, what: str) -> None:
        """Has a worker look at the layer under the cursor."""
        sight, view = self._sight(), self._view
        if sight is None or view is None:
            return
        if what != "filters" and self._image is None:
            self.notify("Choose an image first: o.", severity="warning")
            return
        request: dict[str, Any] = {
            "what": what,
            "model": str(view.folder.model_path),
            "layer": sight.row.name,
        }
        if what == "filters":
            request |= {"filters": None, "steps": STEPS, "seed": SEED}
        elif what == "gradcam":
            request |= {"label": self._label, "or_fitting": True}
        self.query_one(InsideLook).look(request, None if what == "filters" else self._image)

    def action_error(self) -> None:
        """Takes the next of the run's worst errors as the image."""
        known = self._known
        if known and known.worst:
            self._error = (self._error + 1) % len(known.worst)
            self._image = Chosen(known.worst[self._error].path, known.root)
        self._show_of()

    def action_other(self) -> None:
        """Lets the path of another image be typed."""
        line = self.query_one("#image-path", PathField)
        line.add_class("-asked")
        line.focus()

    @on(Input.Submitted, "#image-path")
    def _take_typed(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self._image = Chosen(str(given_path(event.value.strip()).absolute()))
            self._error = -1
        self._leave_line()

    def action_label(self) -> None:
        """The next class for Grad-CAM; before the first one, the likeliest. A list of many."""
        labels = self._known.labels if self._known else ()
        if len(labels) > MOST_IN_TURN:
            self.app.push_screen(PickLabel("Which class?", [LIKELIEST, *labels]), self._take_label)
            return
        choices = [None, *labels]
        self._label = choices[(choices.index(self._label) + 1) % len(choices)]
        self._show_of()

    def _take_label(self, label: str | None) -> None:
        """What was chosen; nothing where nothing was."""
        if label is not None:
            self._label = None if label == LIKELIEST else label
            self._show_of()

    def action_back(self) -> None:
        """Out of the line for a path, else to the screen before."""
        if isinstance(self.focused, Input):
            self._leave_line()
        else:
            super().action_back()

    def _leave_line(self) -> None:
        self.query_one("#image-path").remove_class("-asked")
        self.query_one("#layers").focus()
        self._show_of()

    def _show_of(self) -> None:
        """The image and the class that are looked at."""
        known, label = self._known, self._label
        image = "none yet: o" if self._image is None else safe_text(self._image.path, 44)
        if known and self._image and self._error >= 0:
            error = known.worst[self._error]
            image += f" (is {safe_text(error.label, 12)}, said {safe_text(error.predicted, 12)})"
        line = Text.assemble(("image  ", "dim"), image, ("   class  ", "dim"))
        line.append(LIKELIEST if label is None else safe_text(label, 20))
        self.query_one("#of", Static).update(line)


def known_of(workspace: Workspace, view: RunView) -> Known:
    """Reads what there is to know of a run; in a thread.

    Raises:
        UserError: its spec cannot be read.
    """
    spec = read_spec(view.folder.spec_path)
    try:
        results = read_results(view.folder.results_path)
    except UserError:  # no figures: an image can be typed all the same
        return Known(tuple(layer_sights(spec, 2)), spec.data.image_size, (), (), None)
    root = RunPictures(workspace, source_of(view)).root
    sights = layer_sights(spec, len(results.labels))
    worst = results.worst if root else ()
    return Known(tuple(sights), spec.data.image_size, results.labels, worst, root)


def sight_in_words(sight: LayerSight, image: tuple[int, int]) -> str:
    """A layer, and on a second line what a value of it sees of an image of (height, width)."""
    layer, field = sight.row, sight.field
    words = f"{layer.name}  {layer.kind}, {human_size(layer.output_shape)}"
    if field is None:
        return f"{words}\n{'a value sees ' if sight.why == WHOLE else ''}{sight.why}"
    return f"{words}\n{field.in_words(layer.output_shape[:2], image)}"


def _last_map(sights: tuple[LayerSight, ...]) -> int:
    """Where Grad-CAM looks best: the last layer with places that is no pooling; else the first."""
    maps = [
        at for at, sight in enumerate(sights) if sight.field and sight.row.kind != "max pooling"
    ]
    return maps[-1] if maps else 0
