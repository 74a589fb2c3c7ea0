"""Results: what a finished run is worth, where it errs, and what it says of other images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, ItemGrid, VerticalScroll
from textual.message import Message
from textual.widgets import DataTable, Static
from textual.worker import get_current_worker

from workbench.datasets.npz_source import NpzImages
from workbench.datasets.prepare import survey
from workbench.datasets.store import find_folder, source_root
from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.paths import Workspace
from workbench.runs.jobs import run_job
from workbench.runs.verdicts import (
    NextRung,
    Results,
    WorstError,
    cautions,
    figures_beside,
    next_rung,
    read_results,
)
from workbench.text import safe_lines, safe_text
from workbench.ui.feed import Runs, RunView
from workbench.ui.guide import next_experiment
from workbench.ui.halfblocks import fitted, no_picture, thumbnail
from workbench.ui.layer_rows import hanging, named_line
from workbench.ui.screens.base import WorkbenchScreen
from workbench.ui.screens.dialogs import Ask
from workbench.ui.screens.layers import LayersScreen

PICTURE, LARGE_PICTURE = (17, 8), (26, 12)  # cells, width and height, of a thumbnail
WIDE = 110  # columns of a terminal that has room for more
CLASSES_WIDTH = 46  # cells of the labels' table
LABEL = 10  # cells of a label in the matrix
VIEWS = ("matrix", "classes", "errors", "predictions")
PREDICTED = (("label", 20, False), ("probability", 11, True), ("file", None, False))
_SHADES, _ASCII_SHADES = "·░▒▓█", ".:+#@"
_SHADE_FROM = (0.0, 0.05, 0.25, 0.5, 0.75)  # share of the row from which each is shown


class PicturesReady(Message):
    """Pictures of the worst errors, in their order."""

    def __init__(self, pictures: list[Text]) -> None:
        super().__init__()
        self.pictures = pictures


@dataclass
class PredictTold(Message):
    """How far a prediction is, its answer, or why there is none."""

    phase: str = ""
    answer: dict[str, Any] | None = None
    problem: str = ""


@dataclass
class Surveyed(Message):
    """What the images of the run are now, or why that cannot be told."""

    source: Path
    facts: DataFacts | None = None
    problem: str = ""


class ResultsScreen(WorkbenchScreen):
    """Accuracy first, then a view of confusions, labels, errors or predictions.

    Args:
        run: its name.
    """

    CONCEPTS = ("confusion-matrix", "interval", "validation", "overfitting")
    CSS = """
    ResultsScreen {
        #summary { height: auto; margin-bottom: 1; }
        #view-title { height: 1; color: $secondary; }
        #views { height: 1fr; }
        .view { width: 1fr; }
        #errors { height: 1fr; }
        #matrix.-beside { width: auto; margin-right: 4; }
        #matrix:focus { background-tint: $background 0%; }
        #matrix > .datatable--fixed { background: $background; }
        #grid { height: auto; grid-gutter: 1 2; }
        .error { height: auto; width: 1fr; }
        #next { height: auto; margin-top: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "view('matrix')", "Matrix", id="matrix"),
        Binding("c", "view('classes')", "Classes", id="classes"),
        Binding("e", "view('errors')", "Errors", id="errors"),
        Binding("L", "layers", "Layers", id="layers"),
        Binding("p", "predict", "Predict", id="predict"),
        Binding("n", "next_rung", "Next rung", id="results.next"),
    ]

    def __init__(self, run: str) -> None:
        super().__init__()
        self._run = run
        self._view: RunView | None = None
        self._results: Results | None = None
        self._rung: NextRung | None = None
        self._shown = "matrix"
        self._told = ""  # of a prediction: how far it is, or what went wrong

    def compose_body(self) -> ComposeResult:
        """Figures on top, the view, the next rung at the bottom."""
        yield Static(id="summary")
        yield Static(id="view-title")
        with Horizontal(id="views"):
            yield DataTable(id="matrix", classes="view", cell_padding=0, cursor_type="none")
            yield DataTable(id="classes", classes="view", cursor_type="row")
            with VerticalScroll(id="errors", classes="view"):
                yield ItemGrid(id="grid", min_column_width=PICTURE[0], stretch_height=False)
            yield DataTable(id="predictions", classes="view", cursor_type="row")
        yield Static(id="next")

    def heading(self) -> Text:
        """The run, and how it stands."""
        text = Text.assemble((safe_text(self._run, 40), "bold"), "  results")
        if self._view:
            summary = self._view.summary
            what = safe_text(summary.preset or summary.strategy, 30)
            text.append(f"   {what} on {safe_text(summary.data, 30)}", "dim")
        return text

    def on_mount(self) -> None:
        """Shows what is known and all that comes."""
        for title, width, right in PREDICTED:
            head = Text(title, justify="right" if right else "left")
            self.query_one("#predictions", DataTable).add_column(head, key=title, width=width)
        self.watch(self.app, "runs", self._runs_changed)

    def on_resize(self) -> None:
        """A wide terminal shows labels beside the matrix."""
        self._draw_words()
        self._show_view()

    def _runs_changed(self, runs: Runs) -> None:
        view = next((view for view in runs if view.name == self._run), None)
        known = self._view
        self._view = view
        self.refresh_heading()
        if view is None:
            self._say(f"There is no run {safe_text(self._run, 40)} in the workspace.")
        elif self._results is None or known is None or known.summary != view.summary:
            self._read(view)

    def _read(self, view: RunView) -> None:
        try:
            self._results = read_results(view.folder.results_path)
        except UserError as error:
            state = view.summary.state
            word = f"{state.word}: {state.detail}" if state.detail else state.word
            hint = f"\n{error.hint}" if error.hint else ""
            self._say(f"{error.message}{hint}\n\nThe run is {safe_text(word, 300)}.")
            return
        self._draw_words()
        _fill_matrix(self.query_one("#matrix", DataTable), self._results, self.workbench.utf8)
        _fill_classes(self.query_one("#classes", DataTable), self._results)
        self._show_view()
        self._draw_errors(self._results.worst, view)

    def _say(self, words: str) -> None:
        """Where there are no figures."""
        self._results = self._rung = None
        self.query_one("#summary", Static).update(Text(words))
        self.query_one("#next", Static).update(Text())
        self.refresh_bindings()
        self._show_view()

    def _draw_words(self) -> None:
        """Figures on top, the next rung at the bottom, in the terminal's width."""
        view, results = self._view, self._results
        if view is None or results is None:
            return
        room, console = self.app.size.width - 2, self.app.console
        summary = hanging(self._summary(view, results), room, console)
        self.query_one("#summary", Static).update(summary)
        self._rung = next_rung(view.spec, view.history, results)
        words = named_line("next", self._rung.words) if self._rung else Text()
        self.query_one("#next", Static).update(hanging([words], room, console))
        self.refresh_bindings()

    def _summary(self, view: RunView, results: Results) -> list[Text]:
        low, high = results.interval
        first = named_line(results.split, f"{results.accuracy:.4f}", "bold")
        first.append(f"  ({low:.4f} to {high:.4f} with 95 % confidence)  ")
        lines = [first.append(f"{results.images:,} images", "dim")]
        best = view.history.best_accuracy
        if best and best.val_accuracy is not None:
            line = named_line("validation", f"{best.val_accuracy:.4f}")
            line.append(f"  the best, in stage {best.stage + 1}, epoch {best.epoch}")
            if best.accuracy is not None:
                line.append(f"; training {best.accuracy:.4f}", "dim")
            lines.append(line)
        if beside := figures_beside(view.summary.preset):
            line = named_line("compare", beside)
            lines.append(line.append("  the same preset on their images", "dim"))
        if results.shifted:
            pixels, accuracy = results.shifted
            line = named_line("shifted", f"{accuracy:.4f}")
            lines.append(line.append(f"  with images moved by {pixels} pixels"))
        color = self.app.theme_variables.get("warning", "")
        for number, words in enumerate(cautions(results)):
            lines.append(named_line("" if number else "mind", words.removeprefix("Mind: "), color))
        return lines

    def action_view(self, name: str) -> None:
        """Shows another view."""
        self._shown = name
        self._show_view()
        self.query_one(f"#{name}").focus()

    def _show_view(self) -> None:
        """One view at a time; labels find a place beside the matrix where it is wide."""
        results = self._results
        roomy = results is not None and self._spare(results) >= CLASSES_WIDTH
        for name in VIEWS:
            beside = name == "classes" and self._shown == "matrix" and roomy
            known = results is not None or name == "predictions"
            self.query_one(f"#{name}").display = known and (name == self._shown or beside)
        self.query_one("#matrix").set_class(roomy, "-beside")
        self.query_one("#view-title", Static).update(self._view_title())
        self.query_one("#view-title").display = results is not None or self._shown == "predictions"

    def _spare(self, results: Results) -> int:
        """Cells beside the matrix; below 0 where it does not fit."""
        width = LABEL + 2 + len(results.labels) * _column_width(results)
        return self.app.size.width - 2 - width - 4

    def _view_title(self) -> Text:
        results = self._results
        if self._shown == "predictions":
            return Text(self._told, no_wrap=True, overflow="ellipsis")
        if results is None:
            return Text()
        wrong = results.images - sum(row[i] for i, row in enumerate(results.confusion))
        more = ", arrow keys scroll" if self._spare(results) < 0 else ""
        titles = {
            "matrix": f"confusion: true label in rows, predicted in columns{more}",
            "classes": f"{len(results.labels)} labels",
            "errors": f"{wrong:,} wrong; the surest of them first"
            if wrong
            else "not one image was wrong",
        }
        return Text(titles[self._shown])

    def action_layers(self) -> None:
        """What was frozen, and what moved."""
        self.app.push_screen(LayersScreen(self._run))

    def action_predict(self) -> None:
        """Asks for images, and has a worker say what is in them."""
        if self._view is None or not self._view.folder.model_path.exists():
            self.notify("This run has no model yet.", severity="warning")
            return
        model = self._view.folder.model_path

        def answered(path: str | None) -> None:
            if path and path.strip():
                self._told = "starting the framework: this takes a while"
                self.query_one("#predictions", DataTable).clear()
                self.action_view("predictions")
                self._predict(str(model), str(_absolute(path.strip())))

        self.app.push_screen(Ask("Predict an image, or a folder of them. Its path:"), answered)

    @work(thread=True, exclusive=True, group="predict", exit_on_error=False)
    def _predict(self, model: str, path: str) -> None:
        worker = get_current_worker()

        def on_event(event: dict[str, Any]) -> None:
            if worker.is_cancelled:
                raise UserError("The screen was left.")
            if event.get("event") == "progress":
                done = f"{event.get('phase')} {event.get('done')} of {event.get('total')}"
                self.post_message(PredictTold(safe_text(done, 60)))

        try:
            answer = run_job("predict", {"model": model, "paths": [path]}, on_event)
        except (UserError, OSError) as error:
            self.post_message(PredictTold(problem=safe_text(str(error), 600)))
            return
        self.post_message(PredictTold(answer=answer))

    @on(PredictTold)
    def _predict_told(self, message: PredictTold) -> None:
        self._told = message.phase or message.problem or _answer_in_words(message.answer or {})
        if message.problem:
            self.notify(message.problem, severity="error", timeout=20)
        elif message.answer:
            _fill_predictions(self.query_one("#predictions", DataTable), message.answer)
        self._show_view()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offers the next rung where there is one."""
        return action != "next_rung" or bool(self._rung and self._rung.preset)

    def action_next_rung(self) -> None:
        """Begins the experiment that is suggested; looks at the images first."""
        source = source_of(self._view) if self._view else ""
        if source:
            self.notify("Looking at the images.")
            self._survey(_absolute(source))
        else:
            self.notify("The run's spec does not tell where its images are.", severity="warning")

    @work(thread=True, exclusive=True, group="survey", exit_on_error=False)
    def _survey(self, source: Path) -> None:
        try:
            facts = survey(source)
        except (UserError, OSError, ValueError) as error:
            self.post_message(Surveyed(source, problem=safe_lines(str(error))))
        else:
            self.post_message(Surveyed(source, facts))

    @on(Surveyed)
    def _surveyed(self, message: Surveyed) -> None:
        problem, view, rung = message.problem, self._view, self._rung
        if message.facts and view and rung and self.is_current:
            try:
                next_experiment(self.workbench, message.source, message.facts, view.spec, rung)
            except UserError as error:
                problem = safe_lines(str(error))
        if problem:
            self.notify(problem, severity="error", timeout=15)

    @property
    def _box(self) -> tuple[int, int]:
        """Cells of a picture."""
        return LARGE_PICTURE if self.app.size.width >= WIDE else PICTURE

    @work(thread=True, exclusive=True, group="pictures", exit_on_error=False)
    def _draw_errors(self, worst: Sequence[WorstError], view: RunView) -> None:
        """Decodes in a thread: the files may lie on a slow disk."""
        try:
            root = images_root(self.workbench.workspace, view)
        except (OSError, ValueError):  # the data folder cannot be read; the figures stand
            root = None
        worker = get_current_worker()
        npz, box = _npz_images(root), self._box
        pictures = []
        for error in worst:
            if worker.is_cancelled:
                return
            pictures.append(_picture(root, npz, error.path, box, self.workbench.utf8))
        self.post_message(PicturesReady(pictures))

    @on(PicturesReady)
    async def _pictures_ready(self, message: PicturesReady) -> None:
        grid = self.query_one("#grid", ItemGrid)
        await grid.remove_children()
        grid.min_column_width = self._box[0]
        if self._results:
            errors = zip(self._results.worst, message.pictures, strict=False)
            await grid.mount_all(
                Static(_error_text(error, picture, self._box), classes="error")
                for error, picture in errors
            )


def source_of(view: RunView) -> str:
    """The images that a run was given, as its spec has it; "" where it does not tell."""
    data = view.spec.get("data")
    return str(data.get("source", "")) if isinstance(data, dict) else ""


def images_root(workspace: Workspace, view: RunView) -> Path | None:
    """Where the paths of a run's images start: a folder, or an npz file; None if not known."""
    source = source_of(view)
    folder = Path(str(view.history.data.get("folder", "")))
    if not view.history.data.get("folder") or not (folder / "source.json").exists():
        found = find_folder(workspace, _absolute(source)) if source else None
        if found is None:
            return Path(source) if source else None
        folder = found
    root = source_root(folder)
    return root if root.is_absolute() else None


def _absolute(path: str) -> Path:
    """With the person's own folder for ~; another person's that is not known stays as it is."""
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:
        return Path(path).absolute()


def shade(share: float, utf8: bool = True) -> str:
    """One character for a share of 1: the darker, the more; a blank for none."""
    shades = _SHADES if utf8 else _ASCII_SHADES
    reached = [mark for mark, least in zip(shades, _SHADE_FROM, strict=True) if share >= least]
    return reached[-1] if share > 0 else " "


def _npz_images(root: Path | None) -> NpzImages | None:
    if root is None or root.suffix != ".npz":
        return None
    try:
        return NpzImages(root)
    except UserError:
        return None


def _picture(
    root: Path | None, npz: NpzImages | None, path: str, box: tuple[int, int], utf8: bool
) -> Text:
    width, height = box
    if root is None:
        return no_picture("where the images lie is not known any more")
    if root.suffix != ".npz":
        try:
            return thumbnail(root / path, width, height, utf8)
        except ValueError:  # a zero byte in the path
            return no_picture("its path cannot be one")
    try:
        array: np.ndarray | None = npz.array(path) if npz else None
    except KeyError:
        array = None
    if array is None:
        return no_picture("it is not in its npz file any more")
    return fitted(array if array.ndim == 3 else array[..., None], width, height, utf8)


def _error_text(error: WorstError, picture: Text, box: tuple[int, int]) -> Text:
    """The picture over its name and both labels."""
    width, height = box
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append_text(picture)
    text.append("\n" * max(height - picture.plain.count("\n"), 1))
    text.append(safe_text(Path(error.path).name, width), "dim")
    text.append("\nis ").append(safe_text(error.label, width - 3), "bold")
    room = width - len("said  0.00")
    text.append("\nsaid ").append(safe_text(error.predicted, max(room, 8)), "bold")
    return text.append(f" {error.probability:.2f}")


def _fill_matrix(table: DataTable[Text], results: Results, utf8: bool) -> None:
    """A column a predicted label; a shade stands for the share of the row."""
    table.clear(columns=True)
    names = [safe_text(label, LABEL) for label in results.labels]
    width = _column_width(results)
    table.add_column(Text(""), width=LABEL + 2)
    for name in names:
        table.add_column(Text(name.rjust(width)), width=width)
    table.fixed_columns = 1
    for at, (name, row) in enumerate(zip(names, results.confusion, strict=True)):
        whole_row = sum(row)
        cells = [Text(name.ljust(LABEL + 2))]
        for column, n in enumerate(row):
            mark = shade(n / whole_row if whole_row else 0.0, utf8)
            style = "bold" if at == column else "" if n else "dim"
            cells.append(Text(f"{n:,}".rjust(width - 2) + f" {mark}", style))
        table.add_row(*cells)


def _column_width(results: Results) -> int:
    """Cells of a column of the matrix, which holds a count, a shade and the gap before."""
    counted = max(len(f"{n:,}") for row in results.confusion for n in row)
    named = max(len(safe_text(label, LABEL)) for label in results.labels)
    return max(6, named + 2, counted + 4)


def _fill_classes(table: DataTable[Text], results: Results) -> None:
    table.clear(columns=True)
    for title, width in (("label", 14), ("images", 7), ("precision", 9), ("recall", 6)):
        table.add_column(Text(title, justify="left" if title == "label" else "right"), width=width)
    for one in results.classes:
        figures = (f"{one.images:,}", _share(one.precision), _share(one.recall))
        table.add_row(
            Text(safe_text(one.label, 14)),
            *(Text(figure, justify="right") for figure in figures),
        )


def _fill_predictions(table: DataTable[Text], answer: dict[str, Any]) -> None:
    table.clear()
    for one in answer.get("predictions", []):
        told = one.get("problem")
        label = Text("unreadable", "italic") if told else Text(safe_text(one.get("label"), 20))
        probability = "-" if told else f"{one.get('probability', 0.0):.3f}"
        where = (f"{safe_text(told, 100)}: " if told else "") + safe_text(one.get("path"), 80)
        table.add_row(label, Text(probability, justify="right"), Text(where))


def _answer_in_words(answer: dict[str, Any]) -> str:
    found = answer.get("predictions", [])
    bad = sum(bool(one.get("problem")) for one in found)
    return f"{len(found):,} predicted" + (f", {bad:,} of them unreadable" if bad else "")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
