"""Dialog that starts a ladder: which strategies, and how long all of them take."""

from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from workbench.app.draft import Draft
from workbench.app.ladder import PlannedRun, describe_ladder, describe_planned, prepare_ladder
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress
from workbench.runs.sweep_queue import start
from workbench.text import pad_cells, percent, plural, safe_text
from workbench.ui.base import in_background, notify_error

MARKED, UNMARKED = "[x]", "[ ]"
KEYS = tr("space marks, enter trains, escape cancels. They keep running if this terminal closes.")
Specs = list[tuple[str, ExperimentSpec]]


def start_ladder(
    workspace: Workspace, data: str, specs: Specs, progress: Progress
) -> tuple[str, str]:
    """Create a ladder and queue its runs; an error while queueing keeps the ladder.

    Returns:
        Its name, "" if it could not be created, and the error, "" for none.
    """
    try:
        ladder = prepare_ladder(workspace, None, data, specs, progress)
    except UserError as error:
        return "", str(error)
    try:
        start(workspace, ladder)
    except (UserError, OSError) as error:
        return ladder.name, str(error)
    return ladder.name, ""


class LadderStart(ModalScreen[str | None]):
    """Gives the name of the ladder that was started with the marked strategies, None on escape.

    Args:
        workspace: of the runs.
        draft: with the images.
        planned: the strategies, the simplest first.
    """

    CSS = """
    LadderStart .dialog { width: 74; }
    LadderStart OptionList { height: auto; max-height: 9; margin: 1 0; border: none; padding: 0;
                             background: $panel; background-tint: $panel 0%; }
    LadderStart #keys { color: $secondary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", tr("Mark")),
        Binding("escape,q", "dismiss(None)", tr("Cancel")),
    ]

    def __init__(self, workspace: Workspace, draft: Draft, planned: tuple[PlannedRun, ...]) -> None:
        super().__init__()
        self._workspace = workspace
        self._draft = draft
        self._planned = planned
        self._marked = {at for at, run in enumerate(planned) if run.spec}
        self._starting = False

    def compose(self) -> ComposeResult:
        """Yield a summary, the strategies, the keys."""
        with Vertical(classes="dialog"):
            yield Static(self._summary(), id="summary")
            yield OptionList(*(Option(self._line(at)) for at in range(len(self._planned))))
            yield Static(Text(KEYS), id="keys")

    def _summary(self) -> Text:
        return Text(describe_ladder(self._draft.name, self._chosen()))

    def _chosen(self) -> list[PlannedRun]:
        return [self._planned[at] for at in sorted(self._marked)]

    def _line(self, at: int) -> Text:
        planned = self._planned[at]
        mark = MARKED if at in self._marked else UNMARKED
        cost = safe_text(describe_planned(planned), 34)
        return Text(f"{mark} {pad_cells(safe_text(planned.preset, 29), 30)}{cost}", no_wrap=True)

    def action_mark(self) -> None:
        """Mark or unmark the strategy under the cursor."""
        options = self.query_one(OptionList)
        at = options.highlighted
        if at is None or self._planned[at].spec is None or self._starting:
            return
        self._marked ^= {at}
        options.replace_option_prompt_at_index(at, self._line(at))
        self.query_one("#summary", Static).update(self._summary())

    @on(OptionList.OptionSelected)
    def _start(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        specs = [(planned.preset, planned.spec) for planned in self._chosen() if planned.spec]
        if self._starting:
            return
        if not specs:
            self.notify(tr("No strategy is marked; space marks the one under the cursor."))
            return
        self._starting = True
        self._show_status(tr("Queueing {runs} ...", runs=plural(len(specs), "run")))
        start = partial(start_ladder, self._workspace, self._draft.stem, specs, self._progress)
        in_background(self, start, self._started)

    def _progress(self, phase: str, done: int, total: int) -> None:
        """Show the progress of a download; called in a thread."""
        share = f", {percent(done / total)}" if total else ""
        self.call_later(self._show_status, f"{safe_text(phase, 50)}{share}")

    def _show_status(self, text: str) -> None:
        self.query_one("#keys", Static).update(Text(text))

    def _started(self, result: tuple[str, str]) -> None:
        ladder, error = result
        if error:
            notify_error(self.app, error)
        if ladder:
            self.dismiss(ladder)
            return
        self._starting = False
        self._show_status(KEYS)
