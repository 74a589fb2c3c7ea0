"""Export: a report, the model in other formats, and the script of the same training."""

import time
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, ScrollableContainer, Vertical
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from workbench.app.export import EXPORT_ITEMS, folder_to_write
from workbench.errors import UserError
from workbench.experiment.toml import parse_spec
from workbench.messages import tr
from workbench.render.export import ExportFacts, export_details
from workbench.render.layers import hanging_indent
from workbench.runs.results import read_results
from workbench.runs.watch import RunView
from workbench.runs.work_titles import work_title
from workbench.text import format_seconds, safe_text
from workbench.ui.base import HIGH_ROWS, WIDE_COLUMNS, WorkbenchScreen, in_background, notify_error
from workbench.ui.dialogs import Prompt
from workbench.ui.keys import key_of
from workbench.ui.widgets.concept_notes import ConceptNotes
from workbench.ui.widgets.job_part import Job, JobPart

BESIDE = 31  # cells of the list, of all paddings and of a scroll bar
LONG = 3.0  # seconds after which the time of an export is shown


class ExportList(OptionList):
    """A list that names its enter key in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", tr("Export"), id="export.start")
    ]


class ExportScreen(WorkbenchScreen, JobPart):
    """List what can be exported; describe it and the exported files at the right.

    Existing files are never overwritten.

    Args:
        view: a finished run.
        into: folder to export into; None for the folder that the app was started in.
    """

    CANCELS = False
    CONCEPTS = ("preprocessing", "threshold", "calibration")
    CSS = """
    ExportScreen OptionList { width: 26; height: 1fr; border: none; padding: 0;
                                background: $background; background-tint: $background 0%; }
    ExportScreen #sheet { width: 1fr; height: 1fr; padding: 0 0 0 1; }
    ExportScreen.-wide #sheet { height: auto; max-height: 100%; }
    ExportScreen #notes { margin: 2 0 0 1; }
    ExportScreen #progress { height: 1; color: $secondary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "folder", tr("Folder"), id="export.folder", tooltip=tr("where to export to")),
    ]

    def __init__(self, view: RunView, into: Path | None = None) -> None:
        super().__init__()
        self.run = view.name
        self._view = view
        self._into = into or Path.cwd()
        self._exported: dict[int, str] = {}
        self._queue: list[int] = []  # the first one is running
        self._began = 0.0  # when it began
        self._newest = ("", 0, 0)  # its newest progress
        self._facts = ExportFacts(labels=view.history.labels)

    def compose_body(self) -> ComposeResult:
        """Yield the list, the description beside it, and a line of progress."""
        with Horizontal():
            yield ExportList(*(Option(item.title) for item in EXPORT_ITEMS))
            with Vertical():
                with ScrollableContainer(id="sheet"):
                    yield Static(id="words")
                yield ConceptNotes(self.concepts(), id="notes")
        yield Static(id="progress")

    def concepts(self) -> tuple[str, ...]:
        """Return the names of the concepts; a threshold is of two labels alone."""
        binary = len(self._view.history.labels) == 2
        return tuple(one for one in self.CONCEPTS if binary or one != "threshold")

    def heading(self) -> Text:
        """Return the run's name and the folder."""
        text = Text.assemble((safe_text(self._view.name, 40), "bold"), "  " + tr("export"))
        return text.append("   " + tr("into {into}", into=safe_text(self._into, 40)), "dim")

    def on_mount(self) -> None:
        """Select the first item."""
        items = self.query_one(OptionList)
        items.focus()
        items.highlighted = 0
        self.set_interval(1.0, self._tick)
        in_background(self, lambda: _read_facts(self._view), self._facts_read)

    def on_resize(self) -> None:
        """Show more of a model where there is room."""
        self._draw()

    def _facts_read(self, facts: ExportFacts) -> None:
        self._facts = facts
        self._draw()

    @property
    def _selected(self) -> int:
        return self.query_one(OptionList).highlighted or 0

    @on(OptionList.OptionHighlighted)
    def _draw(self) -> None:
        at = self._selected
        text = Text(EXPORT_ITEMS[at].description)
        if command := EXPORT_ITEMS[at].command(safe_text(self._view.name)):
            text.append(
                "\n\n"
                + tr("The same as a command, which {copy} copies:", copy=key_of(self, "copy"))
                + "\n",
                "dim",
            )
            text.append(f"  {command}")
        if at in self._exported:
            text.append(f"\n\n{self._exported[at]}", self.color("success"))
        size = self.app.size
        if size.width >= WIDE_COLUMNS and size.height >= HIGH_ROWS:
            details = export_details(EXPORT_ITEMS[at].format, self._facts)
            room = size.width - BESIDE
            text.append("\n\n").append_text(hanging_indent(details, room, self.app.console))
        self.query_one("#words", Static).update(text)

    def action_back(self) -> None:
        """Leave; the running export finishes, the queued ones are dropped."""
        if self._queue:
            now, *then = self._queued_titles()
            dropped = tr("; not exported: {then}", then=", ".join(then)) if then else ""
            self.app.notify(tr("{now} is still being exported{dropped}.", now=now, dropped=dropped))
        super().action_back()

    def copyable(self) -> list[tuple[str, str]]:
        """Return the command that does the same as the selected item, then what a run has."""
        command = EXPORT_ITEMS[self._selected].command(self._view.name)
        return [*([(tr("export"), command)] if command else []), *super().copyable()]

    def action_folder(self) -> None:
        """Ask for the folder of the next exports."""

        def make(typed: str) -> str:
            return str(folder_to_write(typed) if typed.strip() else self._into)

        def answered(folder: str | None) -> None:
            if folder is not None:
                self._into = Path(folder)
                self.refresh_heading()

        question = tr("Export into which folder? It is created if it does not exist.")
        self.app.push_screen(Prompt(question, str(self._into), make), answered)

    @on(OptionList.OptionSelected)
    def _enqueue(self, event: OptionList.OptionSelected) -> None:
        if event.option_index in self._queue:
            return
        self._queue.append(event.option_index)
        if len(self._queue) == 1:
            self._export_first()
        else:
            self.show_progress()

    def _export_first(self) -> None:
        self._began = time.monotonic()
        self.show_progress()
        at, into = self._queue[0], self._into
        item, workspace, folder = EXPORT_ITEMS[at], self.workbench.workspace, self._view.folder

        def done(result: str) -> None:
            self._ended()
            self._show_result(at, result)

        def failed(problem: str) -> None:
            notify_error(self.app, problem)
            self._ended()

        app = self.app

        def make(job: Job) -> str:
            result = item.make(workspace, folder, into, job.progress)
            if not self.is_attached:  # nobody else would show it
                app.call_later(self._notify_done, at, result)
            return result

        self.start_job(make, done, failed)

    def _show_result(self, at: int, result: str) -> None:
        """Show the exported files, or notify if another item is selected."""
        self._exported[at] = result
        self._draw()
        if at != self._selected:
            self._notify_done(at, result)

    def _notify_done(self, at: int, result: str) -> None:
        title, first_line = EXPORT_ITEMS[at].title, result.splitlines()[0]
        done = tr("{title} is done: {first_line}", title=title, first_line=first_line)
        self.app.notify(done)

    def show_progress(self, phase: str = "", done: int = 0, total: int = 0) -> None:
        """Show what is being exported, since when, and what comes next."""
        self._newest = phase, done, total
        now, *then = self._queued_titles()
        line = tr("exporting {item}", item=now)
        if phase:
            line += f": {safe_text(work_title(phase))}"
        if total:
            line += "  " + tr("{done:,} of {total:,}", done=done, total=total)
        seconds = time.monotonic() - self._began
        if seconds >= LONG:
            line += f", {format_seconds(seconds)}"
        if then:
            line += "   " + tr("then {then}", then=", ".join(then))
        self.query_one("#progress", Static).update(Text(line, no_wrap=True, overflow="ellipsis"))

    def _tick(self) -> None:
        """Show for how long the export has been running."""
        if self._queue:
            self.show_progress(*self._newest)

    def _queued_titles(self) -> list[str]:
        return [EXPORT_ITEMS[at].title for at in self._queue]

    def _ended(self) -> None:
        """Start the next export."""
        self._queue.pop(0)
        self.query_one("#progress", Static).update(Text())
        if self._queue:
            self._export_first()


def _read_facts(view: RunView) -> ExportFacts:
    """Read what is known of a run's model; what is missing or damaged is left out."""
    spec = results = None
    with suppress(UserError):
        spec = parse_spec(view.spec, "spec.toml")
    with suppress(UserError):
        results = read_results(view.folder.results_path)
    size = 0
    with suppress(OSError):
        size = view.folder.model_path.stat().st_size
    return ExportFacts(spec, results, results.labels if results else view.history.labels, size)
