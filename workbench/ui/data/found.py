"""What the scan found: classes, findings, the split, and one image on its way into the network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import DataTable, Input, Static
from textual.worker import get_current_worker

from workbench.app.draft import Draft, plain_message
from workbench.datasets.audit import Audit, Finding
from workbench.datasets.inspect_job import Inspection
from workbench.errors import UserError
from workbench.render.half_blocks import thumbnail
from workbench.text import plural, safe_text
from workbench.ui.data.image_steps import Look, look_through
from workbench.ui.data.text import (
    COLORS,
    class_columns,
    class_rows,
    parse_split,
    split_fault,
    split_in_words,
    split_result,
    steps_text,
    summary,
)

MOST_CLASSES = 500  # rows; more are told of in words
NAME, BAR = 16, 8  # cells
THUMBS_ACROSS = 4
_OWN = "the base has its own in place of 1/255"
_HINT = "tab leads to it, then type other shares"
_LEAST_ROWS = 3  # cells that a thumbnail needs to show anything

SEVERITY_CELLS = 16  # of a finding's line, its margins included


@dataclass(frozen=True)
class _Seen:
    """A class's images, looked at by a thread."""

    label: str
    look: Look
    thumbs: list[Text]


class ClassTable(DataTable[Text]):
    """Says in the footer what enter does."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select_cursor", "Go on")]


class FindingTable(DataTable[Text]):
    """Says in the footer what enter does."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select_cursor", "Files")]


class DataFound(Vertical):
    """Shows a scan's result; keeps the split in the draft. Posts `GoOn` and `OpenFinding`."""

    DEFAULT_CSS = """
    DataFound { height: 1fr; }
    DataFound #summary { height: 1; }
    DataFound #top { height: 1fr; min-height: 8; margin-top: 1; }
    DataFound #left { width: 34; height: 1fr; }
    DataFound #right { width: 1fr; height: 1fr; padding-left: 2; }
    DataFound #steps { height: auto; }
    DataFound #thumbs { height: 1fr; margin-top: 1; }
    DataFound #thumbs Static { width: auto; margin-right: 1; }
    DataFound #findings-title { height: 1; color: $secondary; margin-top: 1; }
    DataFound #split-title { height: 1; color: $secondary; }
    DataFound #split-row { height: auto; max-height: 3; }
    DataFound #split { width: 20; background: $panel; }
    DataFound #split-result { margin-left: 1; width: 1fr; height: auto; }
    """

    class GoOn(Message):
        """The data is as it should be."""

    class OpenFinding(Message):
        """The files of a finding are asked for."""

        def __init__(self, finding: Finding) -> None:
            super().__init__()
            self.finding = finding

    class Seen(Message):
        """A thread has looked at a class's images."""

        def __init__(self, seen: _Seen) -> None:
            super().__init__()
            self.seen = seen

    def __init__(self, draft: Draft, utf8: bool = True) -> None:
        super().__init__()
        self._draft = draft
        self._utf8 = utf8
        self._audit: Audit | None = None
        self._inspection: Inspection | None = None
        self._labels: list[str] = []
        self._drawn_for = (0, 0)  # width and height, in cells, of the newest thumbnails
        self.split_error = ""

    def compose(self) -> ComposeResult:
        """Classes beside an image; below them the findings and the split."""
        yield Static(id="summary")
        with Horizontal(id="top"):
            with Vertical(id="left"):
                yield ClassTable(id="classes", cursor_type="row")
            with Vertical(id="right"):
                yield Static(id="steps")
                with Horizontal(id="thumbs"):
                    for number in range(THUMBS_ACROSS):
                        yield Static(id=f"thumb-{number}")
        yield Static(id="findings-title")
        yield FindingTable(id="findings", cursor_type="row", show_header=False)
        yield Static(f"split; {_HINT}", id="split-title")
        with Horizontal(id="split-row"):
            yield Input(id="split", compact=True, restrict=r"[0-9.,eE+\- ]*")
            yield Static(id="split-result")

    def show(self, inspection: Inspection, audit: Audit) -> None:
        """Fills everything."""
        self._inspection, self._audit = inspection, audit
        self.query_one("#summary", Static).update(summary(audit, inspection.facts))
        self._show_classes(audit)
        self._show_findings(audit)
        self._show_split()
        self.query_one("#classes").focus()

    # Classes and their images

    def _show_classes(self, audit: Audit) -> None:
        table = self.query_one("#classes", DataTable)
        table.clear(columns=True)
        titles = class_columns(audit)
        split = len(titles) > 3  # class, one count, bar
        for number, title in enumerate(titles):
            if 0 < number < len(titles) - 1:
                table.add_column(Text(title, justify="right"), width=6 if split else 7)
            else:
                table.add_column(title)
        self._labels = list(audit.counts)[:MOST_CLASSES]
        name, bar = (12, 1) if split else (NAME, BAR)
        for row in class_rows(audit, MOST_CLASSES, name, bar, self._utf8):
            table.add_row(*row)
        if len(audit.counts) > MOST_CLASSES:
            table.add_row(Text(f"and {len(audit.counts) - MOST_CLASSES:,} more"))

    @on(DataTable.RowHighlighted, "#classes")
    def _class_changed(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        if event.cursor_row < len(self._labels):
            self._look(self._labels[event.cursor_row])

    def _look(self, label: str) -> None:
        if not self.query("#thumbs"):  # the screen goes away
            return
        paths = self._inspection.samples.get(label, ()) if self._inspection else ()
        if not paths:
            self.query_one("#steps", Static).update(Text("no image of it can be used", "dim"))
            return
        box = self.query_one("#thumbs").size
        room = max(box.height, 0)
        self._drawn_for = (box.width, room)
        self._look_at(label, paths[:THUMBS_ACROSS], box.width, room)

    def on_resize(self) -> None:
        """More room, larger thumbnails."""
        table = self.query_one("#classes", DataTable)
        if self._audit and table.row_count and table.cursor_row < len(self._labels):
            self.call_after_refresh(self._look, self._labels[table.cursor_row])

    @work(thread=True, exclusive=True, group="look", exit_on_error=False)
    def _look_at(self, label: str, paths: tuple[Path, ...], width: int, rows: int) -> None:
        worker = get_current_worker()
        look = look_through(paths[0], self._draft.spec().data)
        across = max(1, min(THUMBS_ACROSS, width // 16))
        each = max(width // across - 1, 1)
        thumbs: list[Text] = []
        for path in paths[:across] if rows >= _LEAST_ROWS else ():
            if worker.is_cancelled:
                return
            thumbs.append(thumbnail(path, each, rows, self._utf8))
        if not worker.is_cancelled:
            self.post_message(self.Seen(_Seen(label, look, thumbs)))

    @on(Seen)
    def _seen(self, event: Seen) -> None:
        event.stop()
        spec = self._draft.spec()
        own = spec.base is not None and spec.base.preprocessing == "own"
        network = "a pretrained base" if spec.base else "dense and convnet"
        text = steps_text(event.seen.look, network)
        if own:
            text.append(f"\n{_OWN}", style="dim")
        self.query_one("#steps", Static).update(text)
        for number in range(THUMBS_ACROSS):
            thumbs = event.seen.thumbs
            shown = thumbs[number] if number < len(thumbs) else Text()
            self.query_one(f"#thumb-{number}", Static).update(shown)
        self.call_after_refresh(self._look_again, event.seen.label)

    def _look_again(self, label: str) -> None:
        """Once more where the steps above left other room than was thought."""
        for box in self.query("#thumbs"):  # none while the screen goes away
            if (box.size.width, max(box.size.height, 0)) != self._drawn_for:
                self._look(label)

    # Findings

    def _show_findings(self, audit: Audit) -> None:
        table = self.query_one("#findings", DataTable)
        table.clear(columns=True)
        table.add_columns("severity", "message")
        variables = self.app.theme_variables
        room = max(self.app.size.width - SEVERITY_CELLS, 40)
        for found in audit.findings:
            color = variables.get(COLORS.get(found.severity, "$foreground").removeprefix("$"), "")
            table.add_row(
                Text(safe_text(found.severity, 8), style=color),
                Text(safe_text(found.message, room)),
            )
        table.display = bool(audit.findings)
        count = plural(len(audit.findings), "finding")
        title = (
            f"{count}; tab, then enter: the files"
            if audit.findings
            else "nothing to complain about"
        )
        self.query_one("#findings-title", Static).update(Text(title))

    @on(DataTable.RowSelected, "#findings")
    def _finding_opened(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if self._audit:
            self.post_message(self.OpenFinding(self._audit.findings[event.cursor_row]))

    @on(DataTable.RowSelected, "#classes")
    def _class_opened(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.post_message(self.GoOn())

    # The split

    def _show_split(self) -> None:
        facts, spec = self._draft.facts, self._draft.spec()
        field = self.query_one("#split", Input)
        if facts and facts.user_split:
            whole = bool(facts.split_images.get("validation"))  # nothing is left to be shared out
            field.display = not whole
            title = "your split" if whole else f"your split; {_HINT}"
            self.query_one("#split-title", Static).update(title)
        with field.prevent(Input.Changed):
            field.value = split_in_words(spec.data.split)
        self._tell_split()

    @on(Input.Changed, "#split")
    def _split_typed(self, event: Input.Changed) -> None:
        event.stop()
        settings, error = parse_split(event.value)
        if not error:
            error = self._try(settings)
        self._tell_split(error)

    def _try(self, settings: dict[str, Any]) -> str:
        """Keeps a split; what is wrong with it where it cannot be kept."""
        try:
            spec = self._draft.with_settings({**self._draft.settings, **settings})
        except UserError as error:
            return plain_message(error).removeprefix("data.split: ")
        fault = split_fault(self._draft.facts, spec.data.split) if self._draft.facts else ""
        if not fault and spec.data.split != self._draft.spec().data.split:
            self._draft.take(settings)
        return fault

    def _tell_split(self, error: str = "") -> None:
        facts = self._draft.facts
        split = self._draft.spec().data.split
        if not error and facts:
            error = split_fault(facts, split)
        self.split_error = error
        shown = self.query_one("#split-result", Static)
        if error:
            color = self.app.theme_variables.get("error", "")
            shown.update(Text(f"! {safe_text(error, 200)}", style=color))
        elif facts:
            shown.update(split_result(facts, split))

    @on(Input.Submitted, "#split")
    def _split_entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.GoOn())
