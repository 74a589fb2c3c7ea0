"""Data: choose images, scan them, and show what was found."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from workbench.app.draft import Draft
from workbench.app.scan_job import ScanJob, ScanStatus
from workbench.datasets.audit import AUDIT_NAME, Audit, read_audit
from workbench.datasets.inspect_job import MODULE, Inspection
from workbench.datasets.sources.catalogue.entries import fetch
from workbench.errors import UserError
from workbench.render.marks import bar
from workbench.text import safe_lines, safe_text
from workbench.ui.base import WorkbenchScreen
from workbench.ui.data.found import DataFound
from workbench.ui.data.panes import FilesScreen, FindingList
from workbench.ui.dialogs import fits_toast, show_error
from workbench.ui.guide import rail_heading, reuse_base
from workbench.ui.widgets.data_choice import DataChoice

POLL_SECONDS = 0.3
SCAN_NOTE = (
    "The scan is a process of its own: it keeps running when you leave or lose the connection. "
    "x cancels; what was scanned is kept."
)
FETCH_NOTE = "x cancels; what was downloaded is kept."
_BAR = 30  # cells


class _Cancelled(Exception):  # noqa: N818 - not an error
    """The download was cancelled."""


class DataScreen(WorkbenchScreen):
    """Choose images, scan them in a process of its own, and show the result.

    Args:
        draft: stores every change.
        skip_ahead: True to open the strategy as soon as the images are known.
        scan_module: module that scans; tests have their own.
    """

    CONCEPTS = ("preprocessing", "validation", "augmentation", "batches")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "continue", "Continue", id="data.continue"),
        Binding("ctrl+t", "tree", "Tree", id="data.tree"),
        Binding("s", "augment", "Augmentation", id="data.augment", tooltip="see it on an image"),
        Binding("i", "images", "Images", id="data.images", tooltip="choose other images"),
        Binding("r", "rescan", "Scan again", id="data.rescan"),
        Binding("x", "cancel", "Cancel", id="data.cancel"),
    ]
    # Not DEFAULT_CSS: the app's own rules for tables would have precedence.
    CSS = """
    DataScreen #work { height: auto; }
    DataScreen #work-line { margin-top: 1; }
    DataScreen #work-note { margin-top: 1; color: $secondary; }
    DataScreen DataTable { scrollbar-size-vertical: 1; background-tint: $background 0%; }
    DataScreen DataTable:blur > .datatable--cursor { background: $background; }
    DataScreen #findings { max-height: 5; }
    DataScreen OptionList { border: none; background-tint: $background 0%; }
    DataScreen OptionList > .option-list--option-highlighted { color: $foreground;
                              background: $block-cursor-background; text-style: none; }
    DataScreen OptionList:blur > .option-list--option-highlighted { background: $background; }
    """

    @dataclass
    class Polled(Message):
        """The status of the scan, with its audit once it is finished."""

        job: ScanJob
        status: ScanStatus
        audit: Audit | None

    @dataclass
    class Fetched(Message):
        """A data set of the catalogue, or the error."""

        path: Path | None
        error: str = ""

    @dataclass
    class FetchProgress(Message):
        """Progress of a download."""

        phase: str
        done: int
        total: int

        def can_replace(self, message: Message) -> bool:
            """Keep only the newest."""
            return isinstance(message, DataScreen.FetchProgress)

    def __init__(self, draft: Draft, skip_ahead: bool = False, scan_module: str = MODULE) -> None:
        super().__init__()
        self._skip_ahead = skip_ahead
        self.draft = draft
        self._module = scan_module
        self._job: ScanJob | None = None
        self._fetching = ""
        self.phase = "choose"

    def compose_body(self) -> ComposeResult:
        """Yield the choice, the progress and the result, of which one is shown."""
        yield DataChoice(self.workbench.utf8)
        with Vertical(id="work"):
            yield Static(id="work-title")
            yield Static(id="work-line")
            yield Static(id="work-note")
        yield DataFound(self.draft, self.workbench.utf8)

    def heading(self) -> Text:
        """Return the rail of steps."""
        return rail_heading(self.draft.name, "data", self.draft.completed, self.workbench.utf8)

    def on_mount(self) -> None:
        """Continue with the draft's scan, running or finished; else ask for images."""
        super().on_mount()
        self.set_interval(POLL_SECONDS, self._poll_again)
        if self.draft.source is None:
            self._choose()
        else:
            self._watch(self._scan_job(self.draft.source))

    def _scan_job(self, source: Path) -> ScanJob:
        return ScanJob(self.workbench.workspace, source, self._module)

    def _set_phase(self, phase: str) -> None:
        self.phase = phase
        self.query_one(DataChoice).display = phase == "choose"
        self.query_one("#work").display = phase in ("scan", "fetch")
        self.query_one(DataFound).display = phase == "found"
        self.refresh_bindings()
        self.refresh_heading()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done in this phase."""
        phases = {
            "continue": ("found",),
            "tree": ("choose",),
            "augment": ("found",),
            "images": ("found",),
            "rescan": ("found",),
            "cancel": ("scan", "fetch"),
        }
        return self.phase in phases.get(action, (self.phase,))

    # Choosing

    def _choose(self, error: str = "", typed: str = "") -> None:
        """Ask for images; a long error is shown whole over the choice, and begins in it."""
        self._job = None
        self._set_phase("choose")
        first, _, rest = safe_lines(error).partition("\n")
        if rest and not fits_toast(error):
            show_error(self, error)
        else:
            first = safe_lines(error)
        self.query_one(DataChoice).start(typed, first)

    @on(DataChoice.Chosen)
    async def _chosen(self, event: DataChoice.Chosen) -> None:
        event.stop()
        choice = self.query_one(DataChoice)
        if choice.tree_shown:
            await choice.hide_tree()
        if event.path is None:
            self._fetching = event.name
            self._set_phase("fetch")
            self._show_progress(f"Fetch {event.name}", "start", 0, 0, FETCH_NOTE)
            self._fetch(event.name)
        elif error := await asyncio.to_thread(path_error, event.path):
            self._choose(error)
        else:
            self._scan(event.path)

    async def action_tree(self) -> None:
        """Show or hide the tree of folders."""
        choice = self.query_one(DataChoice)
        await (choice.hide_tree() if choice.tree_shown else choice.show_tree())

    async def action_back(self) -> None:  # type: ignore[override]
        """Leave the tree, or the screen; a scan keeps running."""
        choice = self.query_one(DataChoice)
        if self.phase == "choose" and choice.tree_shown:
            await choice.hide_tree()
        else:
            super().action_back()

    def action_images(self) -> None:
        """Return to the choice of images."""
        self._choose(typed=str(self.draft.source or ""))

    # Fetching

    @work(thread=True, exclusive=True, group="fetch", exit_on_error=False)
    def _fetch(self, name: str) -> None:
        worker = get_current_worker()

        def progress(phase: str, done: int, total: int) -> None:
            if worker.is_cancelled:
                raise _Cancelled
            self.post_message(self.FetchProgress(phase, done, total))

        try:
            path = fetch(name, self.workbench.workspace, progress)
        except _Cancelled:
            return
        except UserError as error:
            self.post_message(self.Fetched(None, str(error)))
        else:
            self.post_message(self.Fetched(path))

    @on(FetchProgress)
    def _show_fetch_progress(self, event: FetchProgress) -> None:
        if self.phase == "fetch":
            title = f"Fetch {self._fetching}"
            self._show_progress(title, event.phase, event.done, event.total, FETCH_NOTE)

    @on(Fetched)
    def _fetched(self, event: Fetched) -> None:
        if self.phase != "fetch":
            return
        if event.path is None:
            self._choose(event.error)
        else:
            self._scan(event.path)

    # Scanning

    def _scan(self, source: Path) -> None:
        """Start a scan, or watch the one that is running."""
        job = self._scan_job(source)
        same = source == self.draft.source
        self.draft.set_source(source, self.draft.facts if same else None)
        try:
            job.start()
        except UserError as error:
            self._choose(str(error))
            return
        self._watch(job)

    def _watch(self, job: ScanJob) -> None:
        self._job = job
        self._set_phase("scan")
        self._show_scan_progress(ScanStatus("running", "start"))
        self._poll(job)

    def _poll_again(self) -> None:
        if self.phase == "scan" and self._job:
            self._poll(self._job)

    @work(thread=True, group="poll", exit_on_error=False)
    def _poll(self, job: ScanJob) -> None:
        status = job.poll()
        audit = None
        if status.inspection:
            try:
                audit = read_audit(status.inspection.folder / AUDIT_NAME)
            except UserError as error:
                status = ScanStatus("failed", message=str(error))
        self.post_message(self.Polled(job, status, audit))

    @on(Polled)
    def _polled(self, event: Polled) -> None:
        status, job = event.status, event.job
        if job is not self._job or self.phase != "scan":
            return
        if status.state == "running":
            self._show_scan_progress(status)
        elif status.inspection and event.audit:
            self._show_found(job.source, status.inspection, event.audit)
        elif status.state == "none":
            self._scan(job.source)  # the draft is older than its scan
        else:
            job.clear()
            self.draft.clear_source()
            message = status.message or "The scan ended without a message; enter restarts it."
            self._choose(message, typed=str(job.source))

    def _show_scan_progress(self, status: ScanStatus) -> None:
        source = safe_text(self._job.source, 60) if self._job else ""
        self._show_progress(f"Scan {source}", status.phase, status.done, status.total, SCAN_NOTE)

    def _show_found(self, source: Path, inspection: Inspection, audit: Audit) -> None:
        reuse_base(self.workbench, self.draft, source)
        self.draft.set_source(source, inspection.facts)
        if dropped := self.draft.drop_invalid_settings():
            message = f"Settings that do not fit any more were dropped. {safe_text(dropped, 300)}"
            self.notify(message, severity="warning", markup=False)
        self._set_phase("found")
        self.query_one(DataFound).show(inspection, audit)
        if self._skip_ahead and "data" in self.draft.completed:
            self.action_continue()
        self._skip_ahead = False

    def action_rescan(self) -> None:
        """Scan again; unchanged files are not read again."""
        if self.draft.source:
            job = self._scan_job(self.draft.source)
            job.clear()
            self._scan(self.draft.source)

    def action_cancel(self) -> None:
        """Cancel the scan or the download."""
        if self.phase == "fetch":
            self.workers.cancel_group(self, "fetch")
            self._choose()
        elif self._job:
            self._job.cancel()
            self._choose(typed=str(self._job.source))

    def _show_progress(self, title: str, phase: str, done: int, total: int, note: str) -> None:
        self.query_one("#work-title", Static).update(Text(title, style="bold"))
        line = Text(f"{safe_text(phase, 40)}  ")
        if total:
            line.append(f"{bar(done / total, _BAR, self.workbench.utf8)} {done / total:>4.0%}  ")
            line.append(f"{done:,} of {total:,}")
        elif done:
            line.append(f"{done:,}")
        self.query_one("#work-line", Static).update(line)
        self.query_one("#work-note", Static).update(Text(note))

    # The result

    @on(FindingList.Opened)
    def _open_finding(self, event: FindingList.Opened) -> None:
        self.app.push_screen(FilesScreen(event.finding, self.draft.source))

    def action_augment(self) -> None:
        """Open the augmentation settings with an image of the data."""
        self.workbench.open("augmentation", self.draft, then=lambda _: self.refresh_heading())

    @on(DataFound.Continue)
    def action_continue(self) -> None:
        """Open the strategy."""
        if error := self.query_one(DataFound).split_error:
            self.notify(f"The split: {error}", severity="warning", markup=False)
            return
        self.draft.complete_step("data")
        self.refresh_heading()
        self.workbench.open("strategy", self.draft)


def path_error(source: Path) -> str:
    """Return why a path cannot be a data source; "" if it can, or if the scan decides."""
    try:
        str(source).encode()
    except UnicodeEncodeError:
        return (
            "This path contains bytes that are not UTF-8, which a spec file cannot contain. "
            "Rename the folder, or make a symbolic link to it."
        )
    try:
        exists = source.exists()
    except OSError:
        return ""
    except ValueError:  # such as a null byte
        exists = False
    return "" if exists else f"There is no file or folder {safe_text(source, 200)}."
