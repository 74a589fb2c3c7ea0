"""The question before a ladder: which rungs, and how long all of them take."""

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
from workbench.app.ladder_plan import PlannedRung, ladder_words, rung_words
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.preflight import look_before_ladder
from workbench.paths import Workspace
from workbench.progress import Progress
from workbench.runs.ladder import prepare_ladder, start
from workbench.text import plural, safe_lines, safe_text
from workbench.ui.background import PATIENCE, in_background

MARKED, UNMARKED = "[x]", "[ ]"
KEYS = "space marks, enter trains, escape cancels. They go on when this terminal is closed."
Specs = list[tuple[str, ExperimentSpec]]


def begin_ladder(
    workspace: Workspace, data: str, specs: Specs, progress: Progress
) -> tuple[str, str]:
    """Makes a ladder and queues its runs; what kept one of them from it is no reason to lose all.

    Returns:
        Its name, "" where it could not be made, and what went wrong, "" for nothing.
    """
    try:
        look_before_ladder(specs)
        ladder = prepare_ladder(workspace, None, data, specs, progress)
    except UserError as error:
        return "", str(error)
    try:
        start(workspace, ladder)
    except (UserError, OSError) as error:
        return ladder.name, str(error)
    return ladder.name, ""


class LadderStart(ModalScreen[str | None]):
    """Rungs to mark; gives the name of the ladder that was begun, None on escape.

    Args:
        draft: whose images they are trained on.
        rungs: from the lowest up.
    """

    CSS = """
    LadderStart .dialog { width: 74; }
    LadderStart OptionList { height: auto; max-height: 9; margin: 1 0; border: none; padding: 0;
                             background: $panel; background-tint: $panel 0%; }
    LadderStart #keys { color: $secondary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark"),
        Binding("escape,q", "dismiss(None)", "Cancel"),
    ]

    def __init__(self, workspace: Workspace, draft: Draft, rungs: tuple[PlannedRung, ...]) -> None:
        super().__init__()
        self._workspace = workspace
        self._draft = draft
        self._rungs = rungs
        self._marked = {at for at, rung in enumerate(rungs) if rung.spec}
        self._at_work = False

    def compose(self) -> ComposeResult:
        """What is to begin, the rungs, the keys."""
        with Vertical(classes="dialog"):
            yield Static(self._words(), id="words")
            yield OptionList(*(Option(self._line(at)) for at in range(len(self._rungs))))
            yield Static(Text(KEYS), id="keys")

    def _words(self) -> Text:
        return Text(ladder_words(self._draft.name, self._chosen()))

    def _chosen(self) -> list[PlannedRung]:
        return [self._rungs[at] for at in sorted(self._marked)]

    def _line(self, at: int) -> Text:
        rung = self._rungs[at]
        mark = MARKED if at in self._marked else UNMARKED
        words = safe_text(rung_words(rung), 34)
        return Text(f"{mark} {safe_text(rung.preset, 29):<30}{words}", no_wrap=True)

    def action_mark(self) -> None:
        """Takes the rung under the cursor, or leaves it out."""
        rungs = self.query_one(OptionList)
        at = rungs.highlighted
        if at is None or self._rungs[at].spec is None or self._at_work:
            return
        self._marked ^= {at}
        rungs.replace_option_prompt_at_index(at, self._line(at))
        self.query_one("#words", Static).update(self._words())

    @on(OptionList.OptionSelected)
    def _begin(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        specs = [(rung.preset, rung.spec) for rung in self._chosen() if rung.spec]
        if self._at_work:
            return
        if not specs:
            self.notify("No rung is marked; space marks the one under the cursor.")
            return
        self._at_work = True
        self._tell(f"Queueing {plural(len(specs), 'run')} ...")
        begin = partial(begin_ladder, self._workspace, self._draft.stem, specs, self._progress)
        in_background(self, begin, self._begun)

    def _progress(self, phase: str, done: int, total: int) -> None:
        """Told by the thread of what has to be downloaded."""
        share = f", {done / total:.0%}" if total else ""
        self.call_later(self._tell, f"{safe_text(phase, 50)}{share}")

    def _tell(self, words: str) -> None:
        self.query_one("#keys", Static).update(Text(words))

    def _begun(self, outcome: tuple[str, str]) -> None:
        ladder, problem = outcome
        if problem:
            words = safe_lines(problem)
            self.app.notify(words, severity="error", timeout=PATIENCE, markup=False)
        if ladder:
            self.dismiss(ladder)
            return
        self._at_work = False
        self._tell(KEYS)
