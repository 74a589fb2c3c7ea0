"""Data: choose images, scan them, and show what was found."""

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from workbench.app.draft import Draft
from workbench.app.scan_job import ScanJob
from workbench.datasets.audit import AUDIT_NAME, Audit, read_audit
from workbench.datasets.inspect_job import MODULE, Inspection
from workbench.datasets.sources.catalogue import fetch, suggest_source
from workbench.errors import UserError
from workbench.messages import tr
from workbench.render.marks import bar
from workbench.runs.work_titles import work_title
from workbench.text import percent, safe_lines, safe_text
from workbench.ui.data.found import DataFound
from workbench.ui.data.panes import FilesScreen, FindingList
from workbench.ui.dialogs import fits_toast, show_error
from workbench.ui.guide import StepScreen, reuse_base
from workbench.ui.keys import key_of
from workbench.ui.widgets.data_choice import DataChoice
from workbench.ui.widgets.job_part import Job, JobPart

POLL_SECONDS = 0.3
_BAR = 30  # cells


class DataScreen(StepScreen, JobPart):
    """Choose images, scan them in a process of its own, and show the result.

    Args:
        draft: stores every change.
        skip_ahead: True to open the strategy as soon as the images are known.
        scan_module: module that scans; tests have their own.
    """

    CONCEPTS = ("preprocessing", "validation", "groups", "augmentation", "batches")
    STEP = 1
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "continue", tr("Continue"), id="data.continue"),
        Binding("ctrl+t", "tree", tr("Tree"), id="data.tree"),
        Binding(
            "s", "augment", tr("Augmentation"), id="data.augment", tooltip=tr("see it on an image")
        ),
        Binding("i", "images", tr("Source"), id="data.images", tooltip=tr("choose other images")),
        Binding("r", "rescan", tr("Scan again"), id="data.rescan"),
        Binding("x", "cancel", tr("Cancel"), id="data.cancel"),
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

    def __init__(self, draft: Draft, skip_ahead: bool = False, scan_module: str = MODULE) -> None:
        super().__init__()
        self._skip_ahead = skip_ahead
        self.draft = draft
        self._module = scan_module
        self._scanning: ScanJob | None = None
        self.phase = "choose"
        self._chosen_here = False  # the images; escape leads to their choice then

    def compose_body(self) -> ComposeResult:
        """Yield the choice, the progress and the result, of which one is shown."""
        yield DataChoice(self.workbench.utf8)
        with Vertical(id="work"):
            yield Static(id="work-title")
            yield Static(id="work-line")
            yield Static(id="work-note")
        yield DataFound(self.draft, self.workbench.utf8)

    def on_mount(self) -> None:
        """Continue with the draft's scan, running or finished; else ask for images."""
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
        self._scanning = None
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
        self._chosen_here = True
        if event.path is None:
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
        """Leave tree, field, images that were chosen here, or the screen; a scan keeps running."""
        choice = self.query_one(DataChoice)
        if self.phase == "choose" and choice.tree_shown:
            await choice.hide_tree()
        elif self.phase == "found" and isinstance(self.focused, Input):  # of the split
            self.query_one("#classes").focus()
        elif self.phase == "found" and self._chosen_here:
            self.action_images()
        else:
            super().action_back()

    def action_images(self) -> None:
        """Return to the choice of images."""
        self._chosen_here = False
        self._choose(typed=str(self.draft.source or ""))

    # Fetching

    def _fetch(self, name: str) -> None:
        workspace = self.workbench.workspace
        kept = tr(
            "{cancel} cancels; what was downloaded is kept.", cancel=key_of(self, "data.cancel")
        )
        self._set_work("fetch", tr("Fetch {name}", name=name), kept)

        def work(job: Job) -> Path:
            return fetch(name, workspace, job.interruptible(job.progress))

        self.start_job(work, self._scan, self._choose)

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

    def _watch(self, scan: ScanJob) -> None:
        self._scanning = scan
        goes_on = tr(
            "The scan is a process of its own: it keeps running when you leave or lose the "
            "connection. {cancel} cancels; what was scanned is kept.",
            cancel=key_of(self, "data.cancel"),
        )
        title = tr("Scan {source}", source=safe_text(scan.source, 60))
        self._set_work("scan", title, goes_on)
        then, failed = partial(self._scanned, scan), partial(self._scan_failed, scan)
        self.start_job(partial(follow_scan, scan), then, failed)

    def _scanned(self, scan: ScanJob, found: tuple[Inspection, Audit] | None) -> None:
        if found is None:
            self._scan(scan.source)  # the draft is older than its scan
        else:
            self._show_found(scan.source, *found)

    def _scan_failed(self, scan: ScanJob, problem: str) -> None:
        scan.clear()
        self.draft.clear_source()
        self._choose(problem, typed=str(scan.source))

    def _show_found(self, source: Path, inspection: Inspection, audit: Audit) -> None:
        reuse_base(self.workbench, self.draft, source)
        self.draft.set_source(source, inspection.facts)
        if dropped := self.draft.drop_invalid_settings():
            message = tr(
                "Settings that do not fit any more were dropped. {dropped}",
                dropped=safe_text(dropped, 300),
            )
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
        self.drop_job()
        if self.phase == "fetch":
            self._choose()
        elif self._scanning:
            self._scanning.cancel()
            self._choose(typed=str(self._scanning.source))

    def _set_work(self, phase: str, title: str, note: str) -> None:
        """Show what runs, before its first progress."""
        self._set_phase(phase)
        self.query_one("#work-title", Static).update(Text(title, style="bold"))
        self.query_one("#work-note", Static).update(Text(note))
        self.show_progress("start", 0, 0)

    def show_progress(self, phase: str, done: int, total: int) -> None:
        """Show the progress of the scan or the download."""
        line = Text(f"{safe_text(work_title(phase), 40)}  ")
        if total:
            line.append(
                f"{bar(done / total, _BAR, self.workbench.utf8)} {percent(done / total):>5}  "
            )
            line.append(tr("{done:,} of {total:,}", done=done, total=total))
        elif done:
            line.append(f"{done:,}")
        self.query_one("#work-line", Static).update(line)

    # The result

    @on(FindingList.Opened)
    def _open_finding(self, event: FindingList.Opened) -> None:
        self.app.push_screen(FilesScreen(event.finding, self.draft.source))

    def action_augment(self) -> None:
        """Open the augmentation settings with an image of the data."""
        self.workbench.open("augmentation", self.draft, then=lambda _: self.refresh_heading())

    @on(DataFound.Continue)
    def action_continue(self) -> None:
        """Open the strategy; with a wrong split, lead to its field, beside which the error is."""
        if self.query_one(DataFound).split_error:
            self.query_one("#split").focus()
            self.app.bell()
            return
        self.draft.complete_step("data")
        self.refresh_heading()
        self.workbench.open("strategy", self.draft)

    def go_on(self) -> None:
        """Complete the step and open the next one, once images are found."""
        if self.draft.facts is not None:
            self.action_continue()


def follow_scan(scan: ScanJob, job: Job) -> tuple[Inspection, Audit] | None:
    """Report the progress of a scan until it ends; return its result, None if it never started.

    Raises:
        UserError: the scan failed, or what it found cannot be read.
    """
    while (status := scan.poll()).state == "running" and not job.cancelled:
        job.progress(status.phase, status.done, status.total)
        time.sleep(POLL_SECONDS)
    if status.inspection:
        return status.inspection, read_audit(status.inspection.folder / AUDIT_NAME)
    if status.state == "none":
        return None
    raise UserError(status.message or tr("The scan ended without a message; enter restarts it."))


def path_error(source: Path) -> str:
    """Return why a path cannot be a data source; "" if it can, or if the scan decides."""
    try:
        str(source).encode()
    except UnicodeEncodeError:
        return tr(
            "This path contains bytes that are not UTF-8, which a spec file "
            "cannot contain. Rename the folder, or make a symbolic link to it."
        )
    try:
        exists = source.exists()
    except OSError:
        return ""
    except ValueError:  # such as a null byte
        exists = False
    if exists:
        return ""
    missing = tr("There is no file or folder {source}.", source=safe_text(source, 200))
    return f"{missing} {suggest_source(source, str(source))}".rstrip()
