"""The result of a scan: classes with the steps of their images, findings and the split."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, zip_longest
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import DataTable, Input, Static
from textual.worker import get_current_worker

from workbench.app.draft import Draft
from workbench.datasets.audit import UNSPLIT, Audit
from workbench.datasets.decoding import decode_for_display
from workbench.datasets.inspect_job import Inspection
from workbench.datasets.sources.source import kind_title
from workbench.experiment.facts import DataFacts
from workbench.experiment.sections import SPLITS
from workbench.messages import tr
from workbench.render.half_blocks import read_picture
from workbench.render.image_steps import ImageSteps, format_steps, image_steps
from workbench.render.marks import bar
from workbench.text import plural, safe_text
from workbench.ui.base import BaseApp
from workbench.ui.data.panes import FindingList, SplitField
from workbench.ui.widgets.picture import Picture

MAX_CLASS_ROWS = 500  # the rest is only counted
NAME, BAR = 16, 8  # cells
THUMBS_ACROSS = 4
THUMB_ROWS = 2  # where there is room below the first
_MIN_ROWS = 3  # cells of the lowest thumbnail that shows anything
_PHOTO = 3 / 8  # rows of cells for each column of a photograph of 4 by 3; a cell is twice as high
_SHORT = {
    "train": tr("train"), "validation": tr("val"), "test": tr("test"), UNSPLIT: tr("images"),
}  # fmt: skip


class ClassTable(DataTable[Text]):
    """A table that names its enter key in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", tr("Continue"), id="data.choose")
    ]


class DataFound(Vertical):
    """Show the result of a scan. Posts `Continue`, and `FindingList.Opened`.

    Args:
        draft: keeps the split.
        utf8: whether the terminal shows more than ASCII.
    """

    DEFAULT_CSS = """
    DataFound { height: 1fr; }
    DataFound #summary { height: auto; max-height: 2; }
    DataFound #top { height: 1fr; min-height: 8; margin-top: 1; }
    DataFound #left { width: 34; height: 1fr; }
    DataFound #right { width: 1fr; height: 1fr; padding-left: 2; }
    DataFound #steps { height: auto; }
    DataFound #thumbs { height: 1fr; margin-top: 1; }
    DataFound #thumbs Horizontal { height: 1fr; }
    DataFound #thumbs Picture { width: auto; height: 1fr; margin-right: 1; }
    """

    class Continue(Message):
        """The data is accepted."""

    @dataclass
    class Sampled(Message):
        """Sample images of a class: the steps of the first one, and rows of thumbnails."""

        label: str
        steps: ImageSteps
        thumbs: list[list[np.ndarray | Text]]

    def __init__(self, draft: Draft, utf8: bool = True) -> None:
        super().__init__()
        self._draft = draft
        self._utf8 = utf8
        self._audit: Audit | None = None
        self._inspection: Inspection | None = None
        self._labels: list[str] = []
        self._drawn_for = (0, 0)  # width and height, in cells, of the newest thumbnails

    def compose(self) -> ComposeResult:
        """Yield classes beside an image, then findings and split."""
        yield Static(id="summary")
        with Horizontal(id="top"):
            with Vertical(id="left"):
                yield ClassTable(id="classes", cursor_type="row")
            with Vertical(id="right"):
                yield Static(id="steps")
                with Vertical(id="thumbs"):
                    for _ in range(THUMB_ROWS):
                        with Horizontal():
                            for _ in range(THUMBS_ACROSS):
                                yield Picture()
        yield FindingList()
        yield SplitField(self._draft)

    def show(self, inspection: Inspection, audit: Audit) -> None:
        """Replace the content."""
        self._inspection, self._audit = inspection, audit
        self.query_one("#summary", Static).update(format_summary(audit, inspection.facts))
        self._show_classes(audit)
        self.query_one(FindingList).show(audit.findings)
        self.query_one(SplitField).show(bool(audit.findings))
        self.query_one(ClassTable).focus()

    @property
    def split_error(self) -> str:
        """Why the split cannot be used, "" if it can."""
        return self.query_one(SplitField).error

    @on(DataTable.RowSelected, "#classes")
    @on(Input.Submitted, "#split")
    def _continue(self, event: DataTable.RowSelected | Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Continue())

    # Classes and their images

    def _show_classes(self, audit: Audit) -> None:
        table = self.query_one(ClassTable)
        table.clear(columns=True)
        titles = class_columns(audit)
        has_split = len(titles) > 3  # class, one count, bar
        for number, title in enumerate(titles):
            if 0 < number < len(titles) - 1:
                table.add_column(Text(title, justify="right"), width=6 if has_split else 7)
            else:
                table.add_column(title)
        self._labels = list(audit.counts)[:MAX_CLASS_ROWS]
        name, bar_width = (12, 1) if has_split else (NAME, BAR)
        for row in class_rows(audit, MAX_CLASS_ROWS, name, bar_width, self._utf8):
            table.add_row(*row)
        if len(audit.counts) > MAX_CLASS_ROWS:
            table.add_row(
                Text(
                    tr("and {counts_count:,} more", counts_count=len(audit.counts) - MAX_CLASS_ROWS)
                )
            )

    @on(DataTable.RowHighlighted, "#classes")
    def _class_highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        if event.cursor_row < len(self._labels):
            self._show_samples(self._labels[event.cursor_row])

    def _show_samples(self, label: str) -> None:
        if not self.query("#thumbs"):  # the screen is being closed
            return
        paths = self._inspection.samples.get(label, ()) if self._inspection else ()
        if not paths:
            message = Text(tr("none of its images can be used"), "dim")
            self.query_one("#steps", Static).update(message)
            return
        box = self.query_one("#thumbs").size
        self._drawn_for = (box.width, max(box.height, 0))
        across = max(1, min(THUMBS_ACROSS, box.width // 16))
        each = max(box.width // across - 1, 1)
        for picture in self.query(Picture):
            picture.styles.max_width = each
        roomy = box.height >= THUMB_ROWS * _PHOTO * each
        many = across * (THUMB_ROWS if roomy else 1)
        shown = [paths[at : at + across] for at in range(0, min(many, len(paths)), across)]
        for number, row in enumerate(self.query("#thumbs Horizontal")):
            row.display = number < len(shown)
        height = box.height // len(shown)
        resolution = cast(BaseApp, self.app).pixels.resolution(each, height)
        self._sample(label, shown if height >= _MIN_ROWS else [], paths[0], resolution)

    def on_resize(self) -> None:
        """Redraw the thumbnails at the new size."""
        table = self.query_one(ClassTable)
        if self._audit and table.row_count and table.cursor_row < len(self._labels):
            self.call_after_refresh(self._show_samples, self._labels[table.cursor_row])

    @work(thread=True, exclusive=True, group="sample", exit_on_error=False)
    def _sample(
        self,
        label: str,
        rows: Sequence[Sequence[Path]],
        first: Path,
        at_least: tuple[int, int],
    ) -> None:
        worker = get_current_worker()
        spec = self._draft.spec()
        own = spec.base is not None and spec.base.preprocessing == "own"
        steps = image_steps(first, spec.data, own)
        thumbs: list[list[np.ndarray | Text]] = []
        for row in rows:
            thumbs.append([])
            for path in row:
                if worker.is_cancelled:
                    return
                thumbs[-1].append(read_picture(partial(decode_for_display, path), at_least))
        if not worker.is_cancelled:
            self.post_message(self.Sampled(label, steps, thumbs))

    @on(Sampled)
    def _sampled(self, event: Sampled) -> None:
        event.stop()
        base = self._draft.spec().base
        network = tr("a pretrained base") if base else tr("dense and convnet")
        above = self.query_one("#steps", Static)
        above.update(format_steps(event.steps, network, above.size.width))
        for row, thumbs in zip_longest(self.query("#thumbs Horizontal"), event.thumbs):
            for picture, thumb in zip_longest(row.query(Picture), thumbs or ()):
                picture.picture = thumb
        self.call_after_refresh(self._redraw_if_resized, event.label)

    def _redraw_if_resized(self, label: str) -> None:
        """Redraw if the steps above the thumbnails changed their room."""
        for box in self.query("#thumbs"):  # none once the screen is being closed
            if (box.size.width, max(box.size.height, 0)) != self._drawn_for:
                self._show_samples(label)


def format_summary(audit: Audit, facts: DataFacts) -> Text:
    """Return the data set in a line."""
    text = Text(
        tr(
            "{images} in {classes}",
            images=plural(audit.images, "image"),
            classes=plural(len(audit.counts), "class", "classes"),
        )
    )
    text.append(f" ({kind_title(audit.kind)})")
    if audit.usable != audit.images:
        text.append(tr(", {usable:,} usable", usable=audit.usable))
    if audit.sizes:
        height, width = audit.sizes.height[1], audit.sizes.width[1]
        same = audit.sizes.height[0] == audit.sizes.height[2] and (
            audit.sizes.width[0] == audit.sizes.width[2]
        )
        text.append(
            tr(
                "   {value} {height} high x {width} wide",
                value=tr("all") if same else tr("median"),
                height=height,
                width=width,
            )
        )
    text.append("   " + tr("grey") if facts.channels == 1 else "   " + tr("colour"))
    formats = ", ".join(safe_text(name, 8) for name in list(audit.formats)[:3])
    return text.append(f"   {formats}" if formats else "")


def class_columns(audit: Audit) -> tuple[str, ...]:
    """Return the titles of the class table."""
    return (tr("class"), *(_SHORT[split] for split in _splits(audit)), "")


def class_rows(
    audit: Audit, max_rows: int, name_width: int, bar_width: int, utf8: bool
) -> Iterator[list[Text]]:
    """Yield the first classes: name, images (of each split), a bar relative to the largest."""
    largest = max((sum(by_split.values()) for by_split in audit.counts.values()), default=0)
    splits = _splits(audit)
    for label, counts in islice(audit.counts.items(), max_rows):
        yield [
            Text(safe_text(label, name_width)),
            *(Text(f"{counts.get(split, 0):,}", justify="right") for split in splits),
            Text(bar(sum(counts.values()) / max(largest, 1), bar_width, utf8)),
        ]


def _splits(audit: Audit) -> list[str]:
    """Return the splits that have images; one for all images if there is no split."""
    splits = [s for s in (UNSPLIT, *SPLITS) if any(s in by for by in audit.counts.values())]
    return splits or [UNSPLIT]
