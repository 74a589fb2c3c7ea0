"""Fetching a run of another machine: a question, then a dialog with its progress."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from workbench.errors import UserError
from workbench.hosts.feed import find_host
from workbench.hosts.fetch import KEPT, check_free_name, fetch_run, free_name
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.render.marks import bar
from workbench.runs.folder import RunFolder
from workbench.runs.watch import RunView
from workbench.settings import read_settings
from workbench.text import format_bytes, percent, safe_text
from workbench.ui.base import WorkbenchScreen, in_background
from workbench.ui.dialogs import Choose, Prompt, show_error

BAR_CELLS = 40


def ask_to_fetch(screen: WorkbenchScreen, view: RunView) -> None:
    """Ask whether to fetch a run, under another name if its own is taken; then do it.

    Args:
        screen: in front.
        view: a run of another machine.
    """
    workspace = screen.workbench.workspace
    name, host = safe_text(view.name), safe_text(view.host)

    def done(result: RunFolder | UserError | None) -> None:
        if isinstance(result, UserError):
            show_error(screen, str(result))
        elif result is not None:
            fetched = tr("{name} is here now; enter opens it.", name=result.name)
            screen.notify(fetched)

    def start(into: str, checkpoints: bool) -> None:
        screen.app.push_screen(FetchDialog(workspace, view, into, checkpoints), done)

    def answered(answer: str | None) -> None:
        if answer is None:
            return
        own = free_name(workspace, view)
        if own == view.name:
            start(own, answer == "c")
            return
        question = tr("There is another run {name} here. A name for the one to fetch:", name=name)

        def check(into: str) -> str:
            try:
                check_free_name(workspace, into.strip())
            except UserError as error:
                raise UserError(error.message) from None  # the rest names a command's option
            return into.strip()

        def typed(into: str | None) -> None:
            if into is not None:
                start(into, answer == "c")

        screen.app.push_screen(Prompt(question, own, check), typed)

    question = tr(
        "{name} is on {host}. Fetch it, to open it here? With its checkpoints it can be resumed "
        "here, and takes several times the space.",
        name=name,
        host=host,
    )
    answers = {"f": tr("Fetch"), "c": tr("With checkpoints")}
    screen.app.push_screen(Choose(question, answers), answered)


class FetchDialog(ModalScreen[RunFolder | UserError | None]):
    """Fetches a run; gives its folder here, the error, or None if it was cancelled.

    Args:
        workspace: where it becomes a run.
        view: the run on another machine.
        into: its name here.
        checkpoints: also those.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,x", "dismiss(None)", tr("Cancel"))]

    def __init__(self, workspace: Workspace, view: RunView, into: str, checkpoints: bool) -> None:
        super().__init__()
        self._workspace = workspace
        self._view = view
        self._into = into
        self._checkpoints = checkpoints
        self._cancelled = False

    def compose(self) -> ComposeResult:
        """Yield what is fetched, how much has come, and the key that cancels."""
        name, host = safe_text(self._view.name), safe_text(self._view.host)
        with Vertical(classes="dialog"):
            yield Static(Text(tr("Fetching {name} from {host}", name=name, host=host)))
            yield Static(id="progress")
            yield Static(Text(tr("esc Cancel. {kept}", kept=KEPT), "dim"))

    def on_mount(self) -> None:
        """Start."""
        self._show(0, 0)

        def done(result: RunFolder | UserError) -> None:
            self.dismiss(result)

        in_background(self, self._fetch, done)

    def on_unmount(self) -> None:
        """End the transfer if it still runs."""
        self._cancelled = True

    def _fetch(self) -> RunFolder | UserError:
        def progress(phase: str, done: int, total: int) -> None:
            self.app.call_later(self._show, done, total)

        try:
            _, host = find_host(read_settings()[0], self._view.host)
            return fetch_run(
                self._workspace,
                host,
                self._view.name,
                self._into,
                self._checkpoints,
                progress,
                lambda: self._cancelled,
            )
        except UserError as error:
            return error

    def _show(self, done: int, total: int) -> None:
        if not self.is_mounted or self._cancelled:
            return
        share = min(done / total, 1.0) if total else 0.0
        text = Text(bar(share, BAR_CELLS, getattr(self.app, "utf8", False)))
        text.append(f" {percent(share)}  {format_bytes(done)}")
        self.query_one("#progress", Static).update(text)
