"""Map: all images of a run in a plane, those with like features beside one another."""

from functools import partial
from typing import ClassVar

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from workbench.app.label_suspects import SuspectReport, find_suspects, read_suspects
from workbench.app.run_files import data_source
from workbench.export.run_data import RunImages
from workbench.messages import tr
from workbench.render.feature_map import Cell, FeatureMap, map_legend
from workbench.render.half_blocks import read_picture
from workbench.runs.watch import RunView
from workbench.text import plural, safe_text
from workbench.ui.base import RunScreen, in_background
from workbench.ui.dialogs import show_error
from workbench.ui.widgets.job_part import STARTING, Job, JobPart, format_progress
from workbench.ui.widgets.picture import Picture

SIDE = 30  # columns beside the map
NO_MAP = tr(
    "There is no map of this run yet. Its images are predicted out of fold by classifiers on "
    "features, which also places them: like images lie beside one another.\n\na computes it."
)


class FeatureMapScreen(RunScreen, JobPart):
    """Show all images as letters in a plane, and the one under the cursor as a picture.

    Args:
        run: one whose images were prepared.
    """

    CONCEPTS = ("feature-map", "label-noise", "out-of-fold")
    CSS = """
    FeatureMapScreen {
        #both { height: 1fr; }
        #map { width: 1fr; height: 100%; }
        #side { width: 30; margin-left: 2; }
        &.-wide #side { width: 44; }
        #picture { height: 1fr; max-height: 22; }
        #facts { height: auto; }
        #legend, #of { height: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(key, f"move({right}, {down})", show=False, id=f"map.{key}")
            for key, right, down in (
                ("left", -1, 0),
                ("right", 1, 0),
                ("up", 0, -1),
                ("down", 0, 1),
            )
        ),
        Binding(
            "enter", "next_here", tr("Next here"), id="map.here", tooltip=tr("of the same cell")
        ),
        Binding("n", "next", tr("Next suspect"), id="map.next"),
        Binding("R", "review", tr("Review"), key_display="R", id="review"),
        Binding("a", "analyze", tr("Compute"), id="map.analyze", tooltip=tr("the map, again")),
    ]

    def __init__(self, run: str) -> None:
        super().__init__(run)
        self._report: SuspectReport | None = None
        self._map: FeatureMap | None = None
        self._by_rank = np.zeros(0, int)  # places of the images, the most suspicious first
        self._ranks = np.zeros(0, int)  # of the images, from 0
        self._at = 0  # the image under the cursor
        self._cell: Cell = (0, 0)
        self._images: RunImages | None = None

    def compose_body(self) -> ComposeResult:
        """Yield the map beside the picture and its facts, the labels by letter, and the path."""
        with Horizontal(id="both"):
            yield Static(id="map")
            with Vertical(id="side"):
                yield Picture(id="picture")
                yield Static(id="facts")
        yield Static(id="legend")
        yield Static(id="of")

    def heading(self) -> Text:
        """Return the run's name and how many images there are."""
        text = Text.assemble((safe_text(self.run, 40), "bold"), "  " + tr("Map").lower())
        if self._report:
            images = plural(len(self._report.predictions.paths), "image")
            text.append(tr("   {images} by their features", images=images), "dim")
        return text

    def read_files(self, view: RunView) -> None:
        """Read where the images lie."""
        self._images = RunImages(self.workbench.workspace, data_source(view))
        self.query_one("#map", Static).update(Text(NO_MAP))
        if view.folder.folds_report_path.exists():
            in_background(self, lambda: read_suspects(view.folder), self._show)

    def _show(self, report: SuspectReport) -> None:
        if report.points is not None:  # an earlier version wrote none
            place = {path: at for at, path in enumerate(report.predictions.paths)}
            self._by_rank = np.array([place[suspect.path] for suspect in report.suspects])
            self._ranks = np.argsort(self._by_rank)
            self._report, self._map = report, None
            self._at = int(self._by_rank[0])
        self._draw()

    def on_resize(self) -> None:
        """Draw the map at its new size."""
        self._map = None
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        """Draw the map, and what the image under the cursor is."""
        self.refresh_heading()
        self.refresh_bindings()
        report, size = self._report, self.query_one("#map").size
        if report is None or report.points is None or not size:
            return
        found = report.predictions
        if self._map is None:
            self._map = FeatureMap(report.points, found.labels, size.width, size.height)
            self._cell = self._map.cell_of(self._at)
            names = [safe_text(name, 20) for name in found.names]
            self.query_one("#legend", Static).update(map_legend(names, self.app.size.width - 2))
        self.query_one("#map", Static).update(self._map.draw(self._cell))
        self.query_one("#facts", Static).update(self._facts(report))
        path = Text(safe_text(found.paths[self._at], 200), no_wrap=True, overflow="ellipsis")
        self.query_one("#of", Static).update(path)
        self.call_after_refresh(self._draw_picture)

    def _facts(self, report: SuspectReport) -> Text:
        """Return label, its probability, and the rank among suspects of the image."""
        at, here = self._at, self._here
        suspect = report.suspects[self._ranks[at]]
        label = safe_text(suspect.label, SIDE - 12)
        text = Text.assemble(
            (tr("label") + "  ", "dim"), (label, "bold"), f"  {suspect.probability:.2f}"
        )
        other = safe_text(suspect.suggested, SIDE - 12)
        text.append(tr("\nelse   "), "dim").append(f"{other}  {suspect.suggested_probability:.2f}")
        count = len(report.suspects)
        text.append(tr("\nby doubt {rank:,} of {count:,}", rank=suspect.rank, count=count))
        style = "bold" if suspect.issue else "dim"
        text.append("\n").append(
            tr("probably wrong") if suspect.issue else tr("as expected"), style
        )
        return text.append(
            tr("\nimage {at:,} of {count:,} here", at=here.index(at) + 1, count=len(here)), "dim"
        )

    @property
    def _here(self) -> list[int]:
        """The images of the cursor's cell, the most suspicious first."""
        images = self._map.cells[self._cell] if self._map else []
        return sorted(images, key=lambda image: int(self._ranks[image]))

    def _draw_picture(self) -> None:
        report, images, widget = self._report, self._images, self.query_one("#picture", Picture)
        cells = widget.size
        if report is None or images is None or not cells:
            return
        at, enough = self._at, self.workbench.pixels.resolution(cells.width, cells.height)
        read = partial(images.picture, report.predictions.paths[at])

        def show(picture: np.ndarray | Text) -> None:
            if at == self._at:  # the cursor is still there
                widget.picture = picture

        in_background(self, lambda: read_picture(read, enough), show)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done with a map, or what makes one."""
        if action == "analyze":
            return self._report is None and self.job is None
        if action == "next_here":
            return len(self._here) > 1
        return action not in ("move", "next", "review") or self._report is not None

    def action_move(self, right: int, down: int) -> None:
        """Move the cursor to the nearest cell with images."""
        if self._map is not None:
            self._cell = self._map.step(self._cell, right, down)
            self._at = self._here[0]
            self._draw()

    def action_next_here(self) -> None:
        """Show the next image of the cell."""
        if here := self._here:
            self._at = here[(here.index(self._at) + 1) % len(here)]
            self._draw()

    def action_next(self) -> None:
        """Go to the image that is the next suspect after this one."""
        if self._map is not None:
            self._at = int(self._by_rank[(self._ranks[self._at] + 1) % len(self._by_rank)])
            self._cell = self._map.cell_of(self._at)
            self._draw()

    def action_review(self) -> None:
        """Open the review of images that may have wrong labels."""
        self.workbench.open("review", self.run)

    def action_analyze(self) -> None:
        """Let a worker predict all images out of fold, which places them on the map."""
        view = self.view
        if view is None or self.job:
            return
        workspace = self.workbench.workspace

        def work(job: Job) -> SuspectReport:
            return find_suspects(workspace, view.folder, progress=job.progress, handle=job)

        def failed(problem: str) -> None:
            self.query_one("#map", Static).update(Text(NO_MAP))
            self.refresh_bindings()
            if problem:
                show_error(self, problem)

        self.start_job(work, self._show, failed)
        self.show_progress(STARTING, 0, 0)
        self.refresh_bindings()

    def show_progress(self, phase: str, done: int, total: int) -> None:
        """Show how far the worker is."""
        text = safe_text(format_progress(phase, done, total))
        text = f"{NO_MAP}\n\n" + tr("{progress}   esc cancels", progress=text)
        self.query_one("#map", Static).update(Text(text))

    def action_back(self) -> None:
        """Cancel the computation, or leave the screen."""
        if self.job:
            self.cancel_job()
        else:
            super().action_back()
