"""Dialogs to choose one or several runs."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from rich.text import Text
from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from workbench.messages import tr
from workbench.render.compared_curves import OTHER_DATA
from workbench.render.run_table import COLUMNS, METRIC_COLUMN, RunLook, name_widths, run_cells
from workbench.runs.summary import CROSS_VALIDATION, VALIDATION
from workbench.runs.watch import RunView
from workbench.text import safe_text
from workbench.ui.base import BaseApp, T

ROOM = 66  # cells of a run's line
SHOWN = ("state", "run", "strategy", METRIC_COLUMN)  # of home's columns
MARKED, UNMARKED = "[x]", "[ ]"
MARKS = {  # behind a figure
    VALIDATION: tr("{mark}: on validation images", mark=VALIDATION),
    CROSS_VALIDATION: tr("{mark}: by cross-validation", mark=CROSS_VALIDATION),
}


class RunDialog(ModalScreen[T]):
    """A question over a list of runs, and the keys that answer it.

    Args:
        about: the run to choose others for; runs on other data come last.
    """

    CSS = """
    .dialog { width: 76; max-width: 100%; }
    OptionList { height: auto; max-height: 12; margin-top: 1; border: none; padding: 0;
                 background: $panel; }
    .below { color: $secondary; }
    """
    KEYS: ClassVar[str]
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss(None)", tr("Cancel"))]

    def __init__(self, question: str, about: RunView, runs: Sequence[RunView]) -> None:
        super().__init__()
        self._question = question
        self._about = about
        self._runs = same_data_first(about, runs)

    def compose(self) -> ComposeResult:
        """Yield the question, the list, the keys."""
        lines = run_lines(self._about, self._runs, self.app)
        with Vertical(classes="dialog"):
            yield Static(Text(safe_text(self._question, 200)))
            yield OptionList(*map(Option, self.options(lines)))
            yield Static(Text(self.KEYS), classes="below")
            marks = [
                meaning
                for mark, meaning in MARKS.items()
                if any(re.search(rf"\d {mark}( |$)", line.plain) for line in lines)
            ]
            yield Static(Text(", ".join(marks)), classes="below")

    def options(self, lines: list[Text]) -> list[Text]:
        """Return the lines of the list, from those of the runs."""
        return lines


class PickRun(RunDialog[str | None]):
    """Gives the name of the chosen run, "" for none of them, None on escape.

    Args:
        about: as in `RunDialog`.
        none: label of the choice of none; "" for no such choice.
    """

    KEYS = tr("enter chooses, escape cancels")

    def __init__(
        self, question: str, about: RunView, runs: Sequence[RunView], none: str = ""
    ) -> None:
        super().__init__(question, about, runs)
        self._none = none

    def options(self, lines: list[Text]) -> list[Text]:
        """Return the choice of none, then the runs."""
        return [Text(self._none, style="italic"), *lines] if self._none else lines

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        index = event.option_index - bool(self._none)
        self.dismiss(self._runs[index].name if index >= 0 else "")


class PickRuns(RunDialog[tuple[str, ...] | None]):
    """Gives the names of the marked runs, or of the one under the cursor; None on escape."""

    CSS = RunDialog.CSS + "OptionList { margin: 1 0; background-tint: $panel 0%; }"
    KEYS = tr("space marks, enter compares, escape cancels")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "mark", tr("Mark"))]

    def options(self, lines: list[Text]) -> list[Text]:
        """Return the runs, each behind its mark."""
        self._lines = lines
        self._marked: set[int] = set()
        return [self._line(at) for at in range(len(lines))]

    def _line(self, at: int) -> Text:
        mark = MARKED if at in self._marked else UNMARKED
        return Text.assemble(f"{mark} ", self._lines[at])

    def action_mark(self) -> None:
        """Mark or unmark the run under the cursor."""
        runs = self.query_one(OptionList)
        if runs.highlighted is not None:
            self._marked ^= {runs.highlighted}
            runs.replace_option_prompt_at_index(runs.highlighted, self._line(runs.highlighted))

    @on(OptionList.OptionSelected)
    def _compare(self, event: OptionList.OptionSelected) -> None:
        chosen = sorted(self._marked) or [event.option_index]
        self.dismiss(tuple(self._runs[at].name for at in chosen))


def same_data_first(about: RunView, runs: Sequence[RunView]) -> tuple[RunView, ...]:
    """Return the runs on the same data as `about`, then the others; each in their old order."""
    return tuple(sorted(runs, key=lambda view: view.source != about.source))


def run_lines(about: RunView, runs: Sequence[RunView], app: App[Any]) -> list[Text]:
    """Return state, name, strategy and accuracy of each run, as home shows them.

    Runs on other data than `about` say so at the end of their line.
    """
    look = RunLook(cast(BaseApp, app).utf8, app.theme_variables)
    others = [view.source != about.source for view in runs]
    note = len(OTHER_DATA) + 1 if any(others) else 0
    widths = {name: COLUMNS[name].least for name in SHOWN}
    room = ROOM - note - widths["state"] - widths[METRIC_COLUMN] - len(SHOWN) + 1
    widths["run"], widths["strategy"] = name_widths(room, runs)
    return [
        _line(run_cells(view, widths, look), widths, OTHER_DATA if other else "")
        for view, other in zip(runs, others, strict=True)
    ]


def _line(cells: Sequence[Text], widths: Mapping[str, int], note: str) -> Text:
    line = Text(no_wrap=True, end="")
    for width, cell in zip(widths.values(), cells, strict=True):
        line.append_text(cell)
        line.append(" " * (width + 1 - cell.cell_len))
    line.append(note, "dim")
    line.rstrip()
    return line
