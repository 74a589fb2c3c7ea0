"""Explain: Grad-CAM, activations and filters of a trained network, layer by layer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import DataTable, Input, Static

from workbench.app.run_files import data_source
from workbench.errors import UserError
from workbench.experiment.receptive_field import WHOLE_IMAGE, LayerField, receptive_fields
from workbench.experiment.toml import read_spec
from workbench.export.run_data import RunImages
from workbench.messages import tr
from workbench.paths import Workspace, parse_path
from workbench.runs.results import WorstError, read_results
from workbench.runs.watch import RunView
from workbench.text import format_shape, safe_text
from workbench.ui.base import RunScreen, in_background
from workbench.ui.dialogs import PickName
from workbench.ui.explain.view import ExplanationView, ImageChoice
from workbench.ui.keys import key_of
from workbench.ui.widgets.path_field import PathField
from workbench.words import shown

STEPS, SEED = 40, 1  # of gradient ascent, as in the command
PREDICTED = tr("the predicted one")  # the class of Grad-CAM until one is chosen
MAX_CYCLED = 12  # with more classes the key opens a list instead of taking the next one
WIDE = 100  # cells, from which on there is room for a long path
NAME, FIELD = 24, 6  # cells of the table's columns


class ExplainedLayers(DataTable[Text]):
    """A table of layers; names its enter key in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", tr("Activations"), id="explain.activations"),
        Binding("home", "scroll_top", id="explain.first", show=False),
        Binding("end", "scroll_bottom", id="explain.last", show=False),
    ]


@dataclass(frozen=True)
class ExplainedRun:
    """What the files of a run contain.

    Attributes:
        sights: its layers with their receptive fields.
        size: (height, width) of its images, in pixels.
        labels: of its classes.
        worst: its worst errors, with paths relative to `root`.
        root: folder or npz file of its images; None if unknown, with no errors then.
    """

    sights: tuple[LayerField, ...]
    size: tuple[int, int]
    labels: tuple[str, ...]
    worst: tuple[WorstError, ...]
    root: Path | None


class ExplainScreen(RunScreen):
    """Show the layers at the left, the explanation at the right, image and class below.

    Args:
        run: name of the run.
        what: shown at once if there is an image: "gradcam"; "" for nothing yet.
        path: of the worst error to begin with; "" for the first.
    """

    CONCEPTS = ("activation", "receptive-field", "grad-cam", "spatial-hierarchy")
    CSS = """
    ExplainScreen {
        #explanation { height: 1fr; }
        #layers { width: 34; margin-right: 2; overflow-x: hidden; scrollbar-size-vertical: 1; }
        ExplanationView { width: 1fr; }
        #here { height: 2; margin-top: 1; color: $secondary; text-wrap: nowrap; }
        #of { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        #image-path { display: none; }
        #image-path.-open { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "h", "explain('gradcam')", tr("Grad-CAM"), id="explain.gradcam", tooltip=tr("a heatmap")
        ),
        Binding(
            "F",
            "explain('filters')",
            tr("Filters"),
            key_display="F",
            id="explain.filters",
            tooltip=tr("their patterns"),
        ),
        Binding(
            "n",
            "next_error",
            tr("Next error"),
            id="explain.error",
            tooltip=tr("of the worst errors"),
        ),
        Binding("i", "image", tr("Image"), id="explain.image", tooltip=tr("another image")),
        Binding(
            "L",
            "label",
            tr("Label"),
            key_display="L",
            id="explain.label",
            tooltip=tr("of Grad-CAM"),
        ),
    ]

    def __init__(self, run: str, what: str = "", path: str = "") -> None:
        super().__init__(run)
        self._first = path
        self._explained: ExplainedRun | None = None
        self._image: ImageChoice | None = None
        self._error = -1  # index of the worst error that is shown; -1 for another image
        self._label: str | None = None  # None for the predicted one
        self._explains = what  # what is shown of the image; "" for nothing

    def compose_body(self) -> ComposeResult:
        """Yield layers and explanation beside each other, image and class below."""
        with Horizontal(id="explanation"):
            yield ExplainedLayers(id="layers", cursor_type="row", cell_padding=0)
            yield ExplanationView(self.workbench.workspace)
        yield Static(id="here")
        yield Static(id="of")
        path = PathField(id="image-path")
        path.placeholder = tr("/path/to/image.jpg")
        yield path

    def heading(self) -> Text:
        """Return the run's name."""
        return Text.assemble((safe_text(self.run, 40), "bold"), "  " + tr("explain"))

    def on_mount(self) -> None:
        """Prepare the table; it is filled once the run is known."""
        table = self.query_one(ExplainedLayers)
        table.add_column(tr("layer"), width=NAME)
        table.add_column(Text(tr("sees"), justify="right"), width=FIELD)
        table.focus()
        self._show_hint()

    def _show_hint(self) -> None:
        """Show what can be explained, and how."""
        self.query_one(ExplanationView).show_message(
            tr(
                "Choose a layer, then: enter for its activations, {gradcam} for a heatmap "
                "of where the image supports a class (Grad-CAM), {filters} for the patterns "
                "that its filters respond to most.",
                gradcam=key_of(self, "explain.gradcam"),
                filters=key_of(self, "explain.filters"),
            )
        )

    def read_files(self, view: RunView) -> None:
        """Read what the table and the lines below it show."""
        workspace = self.workbench.workspace
        in_background(self, lambda: read_run(workspace, view), self._show)

    def _show(self, explained: ExplainedRun) -> None:
        self._explained = explained
        table = self.query_one(ExplainedLayers)
        for sight in explained.sights:
            size = (
                str(sight.field.size)
                if sight.field
                else tr("all")
                if sight.why == WHOLE_IMAGE
                else "?"
            )
            table.add_row(Text(safe_text(sight.row.name, NAME)), Text(size, justify="right"))
        table.move_cursor(row=_last_map(explained.sights))
        paths = [error.path for error in explained.worst]
        self._error = paths.index(self._first) - 1 if self._first in paths else -1
        if not paths or not any(sight.field for sight in explained.sights):  # a dense network
            self._explains = ""
        self.action_next_error()

    @on(DataTable.RowHighlighted, "#layers")
    def _show_layer(self) -> None:
        if self._explained and (sight := self._selected):
            text = describe_layer(sight, self._explained.size)
            self.query_one("#here", Static).update(Text(text))

    @property
    def _selected(self) -> LayerField | None:
        row = self.query_one(ExplainedLayers).cursor_row
        sights = self._explained.sights if self._explained else ()
        return sights[row] if 0 <= row < len(sights) else None

    @on(DataTable.RowSelected, "#layers")
    def _show_activations(self) -> None:
        self.action_explain("activations")

    def action_explain(self, what: str) -> None:
        """Explain the selected layer in a worker."""
        sight, view = self._selected, self.view
        if sight is None or view is None:
            return
        if what != "filters" and self._image is None:
            self.notify(
                tr("Choose an image first: {key}.", key=key_of(self, "explain.image")),
                severity="warning",
            )
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
        image = None if what == "filters" else self._image
        self._explains = what if image else ""
        self.query_one(ExplanationView).explain(request, image)

    def action_next_error(self) -> None:
        """Take the next of the run's worst errors as the image."""
        run = self._explained
        if run and run.worst:
            self._error = (self._error + 1) % len(run.worst)
            self._image = ImageChoice(run.worst[self._error].path, run.root)
        self._show_choice()
        self._explain_again()

    def _explain_again(self) -> None:
        """Explain the new choice as the one before, so that the picture is that of the image."""
        if self._explains:
            self.action_explain(self._explains)
        elif self._image:
            self._show_hint()
            self.query_one(ExplanationView).show_image(self._image)

    def action_image(self) -> None:
        """Ask for the path of another image."""
        path = self.query_one("#image-path", PathField)
        path.add_class("-open")
        path.focus()

    @on(Input.Submitted, "#image-path")
    def _path_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self._image = ImageChoice(str(parse_path(event.value.strip()).absolute()))
            self._error = -1
            self._explain_again()
        self._close_path()

    def action_label(self) -> None:
        """Take the next class for Grad-CAM; choose from a list if there are many."""
        labels = self._explained.labels if self._explained else ()
        if len(labels) > MAX_CYCLED:
            self.app.push_screen(
                PickName(tr("Which class?"), [PREDICTED, *labels]), self._set_label
            )
            return
        choices = [None, *labels]
        self._set_label(choices[(choices.index(self._label) + 1) % len(choices)] or PREDICTED)

    def _set_label(self, label: str | None) -> None:
        if label is not None:
            self._label = None if label == PREDICTED else label
            self._show_choice()
            if self._explains == "gradcam":
                self._explain_again()

    def action_back(self) -> None:
        """Leave the field for a path, or the screen."""
        if isinstance(self.focused, Input):
            self._close_path()
        else:
            super().action_back()

    def _close_path(self) -> None:
        self.query_one("#image-path").remove_class("-open")
        self.query_one("#layers").focus()
        self._show_choice()

    def _show_choice(self) -> None:
        """Show the image and the class."""
        run, label = self._explained, self._label
        image = (
            tr("none yet: {key}", key=key_of(self, "explain.image"))
            if self._image is None
            else safe_text(self._image.path, 44 if self.app.size.width > WIDE else 24)
        )
        if run and self._image and self._error >= 0:
            error = run.worst[self._error]
            image += " " + tr(
                "(true {label}, pred {predicted})",
                label=safe_text(error.label, 12),
                predicted=safe_text(error.predicted, 12),
            )
        line = Text.assemble(
            (tr("image") + "  ", "dim"), image, ("   " + tr("class") + "  ", "dim")
        )
        line.append(PREDICTED if label is None else safe_text(label, 20))
        self.query_one("#of", Static).update(line)


def read_run(workspace: Workspace, view: RunView) -> ExplainedRun:
    """Read what the screen shows of a run; call it in a thread.

    Raises:
        UserError: its spec cannot be read.
    """
    spec = read_spec(view.folder.spec_path)
    try:
        results = read_results(view.folder.results_path)
    except UserError:  # no results, but a path can be typed
        return ExplainedRun(tuple(receptive_fields(spec, 2)), spec.data.image_size, (), (), None)
    root = RunImages(workspace, data_source(view)).root
    sights = tuple(receptive_fields(spec, len(results.labels)))
    worst = results.worst if root else ()
    return ExplainedRun(sights, spec.data.image_size, results.labels, worst, root)


def describe_layer(sight: LayerField, image: tuple[int, int]) -> str:
    """Return a layer, and on a second line its receptive field.

    Args:
        sight: the layer.
        image: (height, width) in pixels.
    """
    layer, field = sight.row, sight.field
    text = f"{layer.name}  {shown(layer.kind)}, {format_shape(layer.output_shape)}"
    if field is None:
        if sight.why == WHOLE_IMAGE:
            return f"{text}\n{tr('a value sees the whole image')}"
        return f"{text}\n{sight.why}"
    return f"{text}\n{field.describe(layer.output_shape[:2], image)}"


def _last_map(sights: tuple[LayerField, ...]) -> int:
    """Return where Grad-CAM works best: the last map that is not pooling; else the first row."""
    maps = [
        at for at, sight in enumerate(sights) if sight.field and sight.row.kind != "max pooling"
    ]
    return maps[-1] if maps else 0
