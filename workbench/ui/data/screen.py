"""Data: which images, what the scan found of them, how they are shared out."""

import asyncio
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
from workbench.app.scan_job import ScanJob, ScanLook
from workbench.datasets.audit import AUDIT_NAME, Audit, read_audit
from workbench.datasets.catalogue import fetch
from workbench.datasets.inspect_job import MODULE, Inspection
from workbench.errors import UserError
from workbench.render.marks import bar
from workbench.text import safe_lines, safe_text
from workbench.ui.data.files import FilesScreen
from workbench.ui.data.found import DataFound
from workbench.ui.data.text import missing, refusal_of
from workbench.ui.dialogs import fits_toast, tell_problem
from workbench.ui.guide import take_base_along
from workbench.ui.screen import WorkbenchScreen
from workbench.ui.widgets.data_choice import DataChoice
from workbench.ui.widgets.step_rail import rail_heading

LOOK_SECONDS = 0.3
_BAR = 30  # cells


class _Cancelled(Exception):  # noqa: N818 - no fault
    """The download is not wanted any more."""


class DataScreen(WorkbenchScreen):
    """Asks for images, has them scanned by a process of its own, shows what was found.

    Args:
        draft: kept after every change.
        scan_module: what scans; tests have one of their own.
        onward: True to go on to the strategy as soon as the images are there.
    """

    CONCEPTS = ("preprocessing", "validation", "augmentation", "batches")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go_on", "Go on", id="data.go_on"),
        Binding("ctrl+t", "tree", "Tree", id="data.tree"),
        Binding("a", "augment", "Augment", id="data.augment", tooltip="see augmentation at work"),
        Binding("c", "change", "Other images", id="data.change"),
        Binding("r", "rescan", "Scan again", id="data.rescan"),
        Binding("x", "cancel", "Cancel", id="data.cancel"),
    ]
    # Not DEFAULT_CSS: the app's own rules for tables would go before it.
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

    class Looked(Message):
        """How the scan stands."""

        def __init__(self, job: ScanJob, look: ScanLook, audit: Audit | None) -> None:
            super().__init__()
            self.job = job
            self.look = look
            self.audit = audit

    class Fetched(Message):
        """A set of the catalogue is there, or why not ("" where it was cancelled)."""

        def __init__(self, path: Path | None, error: str = "") -> None:
            super().__init__()
            self.path = path
            self.error = error

    class Progressed(Message):
        """How far a download is."""

        def __init__(self, phase: str, done: int, total: int) -> None:
            super().__init__()
            self.told = (phase, done, total)

        def can_replace(self, message: Message) -> bool:
            """Only the newest counts."""
            return isinstance(message, DataScreen.Progressed)

    def __init__(self, draft: Draft, onward: bool = False, scan_module: str = MODULE) -> None:
        super().__init__()
        self._onward = onward
        self.draft = draft
        self._module = scan_module
        self._job: ScanJob | None = None
        self._fetching = ""
        self.phase = "choose"

    def compose_body(self) -> ComposeResult:
        """One of three is shown: the choice, the work, what was found."""
        yield DataChoice(self.workbench.utf8)
        with Vertical(id="work"):
            yield Static(id="work-title")
            yield Static(id="work-line")
            yield Static(id="work-note")
        yield DataFound(self.draft, self.workbench.utf8)

    def heading(self) -> Text:
        """The rail."""
        return rail_heading(self.draft.name, "data", self.draft.settled, self.workbench.utf8)

    def on_mount(self) -> None:
        """Goes on where this draft was: with a scan that is at work or done, else from nothing."""
        super().on_mount()
        self.set_interval(LOOK_SECONDS, self._look_again)
        if self.draft.source is None:
            self._choose()
        else:
            self._watch(ScanJob(self.workbench.workspace, self.draft.source, self._module))

    def _show(self, phase: str) -> None:
        self.phase = phase
        self.query_one(DataChoice).display = phase == "choose"
        self.query_one("#work").display = phase in ("scan", "fetch")
        self.query_one(DataFound).display = phase == "found"
        self.refresh_bindings()
        self.refresh_heading()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what can be done at this moment is offered."""
        phases = {
            "go_on": ("found",),
            "tree": ("choose",),
            "augment": ("found",),
            "change": ("found",),
            "rescan": ("found",),
            "cancel": ("scan", "fetch"),
        }
        return self.phase in phases.get(action, (self.phase,))

    # Choosing

    def _choose(self, fault: str = "", typed: str = "") -> None:
        """Asks for images; a long fault is told over the choice, which shows how it begins."""
        self._job = None
        self._show("choose")
        first, _, rest = safe_lines(fault).partition("\n")
        if rest and not fits_toast(fault):
            tell_problem(self, fault)
        else:
            first = safe_lines(fault)
        self.query_one(DataChoice).start(typed, first)

    @on(DataChoice.Chosen)
    async def _chosen(self, event: DataChoice.Chosen) -> None:
        event.stop()
        choice = self.query_one(DataChoice)
        if choice.tree_shown:
            await choice.hide_tree()
        if event.path is None:
            self._fetching = event.name
            self._show("fetch")
            self._tell_work(f"Fetch {event.name}", "start", 0, 0, "x cancels; what came is kept.")
            self._fetch(event.name)
        elif refused := refusal_of(event.path) or await asyncio.to_thread(missing, event.path):
            self._choose(refused)
        else:
            self._scan(event.path)

    async def action_tree(self) -> None:
        """Shows or hides the tree of folders."""
        choice = self.query_one(DataChoice)
        await (choice.hide_tree() if choice.tree_shown else choice.show_tree())

    async def action_back(self) -> None:  # type: ignore[override]
        """Out of the tree; else to the screen before, where a scan goes on without this one."""
        choice = self.query_one(DataChoice)
        if self.phase == "choose" and choice.tree_shown:
            await choice.hide_tree()
        else:
            super().action_back()

    def action_change(self) -> None:
        """Back to the choice of images."""
        self._choose(typed=str(self.draft.source or ""))

    # Fetching

    @work(thread=True, exclusive=True, group="fetch", exit_on_error=False)
    def _fetch(self, name: str) -> None:
        worker = get_current_worker()

        def progress(phase: str, done: int, total: int) -> None:
            if worker.is_cancelled:
                raise _Cancelled
            self.post_message(self.Progressed(phase, done, total))

        try:
            path = fetch(name, self.workbench.workspace, progress)
        except _Cancelled:
            return
        except UserError as error:
            self.post_message(self.Fetched(None, str(error)))
        else:
            self.post_message(self.Fetched(path))

    @on(Progressed)
    def _progressed(self, event: Progressed) -> None:
        if self.phase == "fetch":
            note = "x cancels; what came is kept."
            self._tell_work(f"Fetch {self._fetching}", *event.told, note)

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
        """Starts a scan, or takes over the one that is at work."""
        job = ScanJob(self.workbench.workspace, source, self._module)
        same = source == self.draft.source
        self.draft.take_source(source, self.draft.facts if same else None)
        try:
            job.start()
        except UserError as error:
            self._choose(str(error))
            return
        self._watch(job)

    def _watch(self, job: ScanJob) -> None:
        self._job = job
        self._show("scan")
        self._tell_scan(ScanLook("running", "start"))
        self._look(job)

    def _look_again(self) -> None:
        if self.phase == "scan" and self._job:
            self._look(self._job)

    @work(thread=True, group="look", exit_on_error=False)
    def _look(self, job: ScanJob) -> None:
        look = job.look()
        audit = None
        if look.inspection:
            try:
                audit = read_audit(look.inspection.folder / AUDIT_NAME)
            except UserError as error:
                look = ScanLook("failed", message=str(error))
        self.post_message(self.Looked(job, look, audit))

    @on(Looked)
    def _looked(self, event: Looked) -> None:
        look = event.look
        if event.job is not self._job or self.phase != "scan":
            return
        if look.state == "running":
            self._tell_scan(look)
        elif look.inspection and event.audit:
            self._found(event.job.source, look.inspection, event.audit)
        elif look.state == "none":
            self._scan(event.job.source)  # the draft is older than its scan
        else:
            event.job.forget()
            self.draft.forget_source()
            words = look.message or "The scan ended without a word; enter starts it again."
            self._choose(words, typed=str(event.job.source))

    def _tell_scan(self, look: ScanLook) -> None:
        source = safe_text(self._job.source, 60) if self._job else ""
        note = (
            "The scan is a process of its own: leave, or lose the connection, and find it here "
            "again. x cancels; what was scanned is kept."
        )
        self._tell_work(f"Scan {source}", look.phase, look.done, look.total, note)

    def _found(self, source: Path, inspection: Inspection, audit: Audit) -> None:
        take_base_along(self.workbench, self.draft, source)
        self.draft.take_source(source, inspection.facts)
        if dropped := self.draft.mend():
            words = f"Settings that do not fit any more were dropped. {safe_text(dropped, 300)}"
            self.notify(words, severity="warning", markup=False)
        self._show("found")
        self.query_one(DataFound).show(inspection, audit)
        if self._onward and "data" in self.draft.settled:
            self.action_go_on()
        self._onward = False

    def action_rescan(self) -> None:
        """Looks at the images again: files that did not change are not read anew."""
        if self.draft.source:
            ScanJob(self.workbench.workspace, self.draft.source, self._module).forget()
            self._scan(self.draft.source)

    def action_cancel(self) -> None:
        """Ends the scan or the download."""
        if self.phase == "fetch":
            self.workers.cancel_group(self, "fetch")
            self._choose()
        elif self._job:
            self._job.cancel()
            self._choose(typed=str(self._job.source))

    def _tell_work(self, title: str, phase: str, done: int, total: int, note: str) -> None:
        self.query_one("#work-title", Static).update(Text(title, style="bold"))
        line = Text(f"{safe_text(phase, 40)}  ")
        if total:
            line.append(f"{bar(done / total, _BAR, self.workbench.utf8)} {done / total:>4.0%}  ")
            line.append(f"{done:,} of {total:,}")
        elif done:
            line.append(f"{done:,}")
        self.query_one("#work-line", Static).update(line)
        self.query_one("#work-note", Static).update(Text(note))

    # Going on

    @on(DataFound.OpenFinding)
    def _open_finding(self, event: DataFound.OpenFinding) -> None:
        self.app.push_screen(FilesScreen(event.finding, self.draft.source))

    def action_augment(self) -> None:
        """Tries augmentation on an image of the data."""
        self.workbench.open("augmentation", self.draft, then=lambda _: self.refresh_heading())

    @on(DataFound.GoOn)
    def action_go_on(self) -> None:
        """To the strategy."""
        found = self.query_one(DataFound)
        if found.split_error:
            self.notify(f"The split: {found.split_error}", severity="warning", markup=False)
            return
        self.draft.settle("data")
        self.refresh_heading()
        self.workbench.open("strategy", self.draft)
