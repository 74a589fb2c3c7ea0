"""The machine: does training run on a GPU here, what mends it if not, and how busy the box is."""

import time
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.theme import Theme
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from workbench.app.machine_check import CheckState
from workbench.machine.finding import Finding
from workbench.text import safe_text
from workbench.ui.machine.details import DetailsScreen
from workbench.ui.machine.gauges import LiveGauges
from workbench.ui.machine.text import Pen, age_in_words, box_table, finding_text, verdict_text
from workbench.ui.screen import WorkbenchScreen

POLL_SECONDS = 0.1  # how often a screen looks at a check that is at work
AGE_SECONDS = 10.0  # how often the age of the report is told anew


class CheckChanged(Message):
    """The check went on, ended or failed."""

    def __init__(self, state: CheckState) -> None:
        super().__init__()
        self.state = state


class MachineScreen(WorkbenchScreen):
    """Verdict, findings with their remedies, the box in short lines, live gauges."""

    CONCEPTS = ("machine",)
    DEFAULT_CSS = """
    MachineScreen #machine { layout: vertical; height: 1fr; }
    MachineScreen #report { height: 1fr; scrollbar-size-vertical: 1; }
    MachineScreen #verdict { margin-bottom: 1; }
    MachineScreen #findings {
        height: auto; max-height: 80%; padding: 0; border: none; margin-bottom: 1;
        background: $background; background-tint: $background 0%; scrollbar-size-vertical: 1;
    }
    MachineScreen #findings > .option-list--option { padding: 0; }
    MachineScreen #findings > .option-list--option-highlighted {
        background: $block-cursor-background; color: $foreground; text-style: none;
    }
    MachineScreen #report, MachineScreen #gauges, MachineScreen #findings {
        scrollbar-background: $background; scrollbar-background-hover: $background;
        scrollbar-color: $panel;
    }
    MachineScreen.-wide #machine { layout: horizontal; }
    MachineScreen.-wide #report { width: 1fr; }
    MachineScreen.-wide #gauges {
        width: 44; height: 1fr; max-height: 100%; margin: 0 0 0 2;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "copy", "Copy", id="copy", tooltip="the remedy, to the clipboard"),
        Binding("d", "details", "Details", id="details", tooltip="each probe and what it printed"),
        Binding("a", "again", "Again", id="again", tooltip="check once more"),
        Binding("w", "measure", "Measure", id="measure", tooltip="anew how fast this machine is"),
        Binding("pagedown,space", "page(1)", show=False, priority=True),
        Binding("pageup", "page(-1)", show=False, priority=True),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._state = CheckState()
        self._opened: set[str] = set()  # findings whose consequences are shown

    @property
    def _pen(self) -> Pen:
        return Pen(self.workbench.utf8, lambda name: self.app.theme_variables.get(name, ""))

    def compose_body(self) -> ComposeResult:
        """What the check found, and the gauges below or beside it."""
        with Vertical(id="machine"):
            with VerticalScroll(id="report", can_focus=False):
                yield Static(id="verdict")
                yield OptionList(id="findings")
                yield Static(id="rows")
            yield LiveGauges(self._pen, self.workbench.look_seconds, id="gauges")

    def heading(self) -> Text:
        """Whether the box is being asked, or how old the answer is."""
        state = self._state
        text = Text("machine", style="bold")
        if state.busy:
            steps = f" ({state.step} of {state.steps})" if state.steps else ""
            text.append(f"  asking the box: {safe_text(state.phase, 50)}{steps} ...", "not bold")
        elif state.report:
            text.append(f"  checked {age_in_words(time.time() - state.when)}", "not bold")
        return text

    def on_mount(self) -> None:
        """Shows the last report, or begins to ask."""
        super().on_mount()
        known = self.workbench.checkup.state
        self.set_interval(AGE_SECONDS, self.refresh_heading)
        self.app.theme_changed_signal.subscribe(self, self._repaint)
        self._show(known)
        if known.busy or not known.report:
            self._check(measure=False)

    def on_screen_resume(self) -> None:
        """Looks at the gauges while the screen is seen."""
        self.query_one(LiveGauges).start_looking()

    def on_screen_suspend(self) -> None:
        """Nobody sees the gauges any more."""
        self.query_one(LiveGauges).stop_looking()

    # The check

    @work(thread=True, exclusive=True, group="check", exit_on_error=False)
    def _check(self, measure: bool) -> None:
        """Begins a check, or joins the one at work, and tells how it goes on."""
        worker, of_app = get_current_worker(), self.workbench.checkup
        of_app.start(self.workbench.workspace, measure)
        told = None
        while not worker.is_cancelled:
            state = of_app.state
            if state is not told:
                self.post_message(CheckChanged(state))
                told = state
            if not state.busy:
                return
            time.sleep(POLL_SECONDS)

    @on(CheckChanged)
    def _check_changed(self, message: CheckChanged) -> None:
        self._show(message.state)

    def action_again(self) -> None:
        """Asks the box anew."""
        self._check(measure=False)

    def action_measure(self) -> None:
        """Asks the box anew, and measures what it is able to."""
        self._check(measure=True)

    # What it found

    def _show(self, state: CheckState) -> None:
        """Draws a state; the report only where it is another."""
        other = state.report is not self._state.report
        self._state = state
        self.query_one("#verdict", Static).update(verdict_text(state, self._pen))
        findings = self.query_one(OptionList)
        if other and state.report:
            self._opened.clear()
            found = state.report.diagnosis.findings
            findings.set_options(Option(self._prompt(one)) for one in found)
            findings.highlighted = 0 if found else None
            self.query_one("#rows", Static).update(box_table(state.report))
            findings.focus()
        findings.display = bool(findings.option_count)
        self.refresh_heading()
        self.refresh_bindings()

    def _repaint(self, _: Theme) -> None:
        """Colours are in the texts: another theme draws them anew."""
        self.query_one("#verdict", Static).update(verdict_text(self._state, self._pen))
        findings = self._state.report.diagnosis.findings if self._state.report else ()
        for number, finding in enumerate(findings):
            self._draw_finding(number, finding)

    def _draw_finding(self, number: int, finding: Finding) -> None:
        findings = self.query_one(OptionList)
        findings.replace_option_prompt_at_index(number, self._prompt(finding))

    def _prompt(self, finding: Finding) -> Table:
        return finding_text(finding, finding.id in self._opened, self._pen)

    def _chosen(self) -> tuple[int, Finding] | None:
        """The finding under the cursor and its place in the list."""
        report = self._state.report
        number = self.query_one(OptionList).highlighted if report and self.is_mounted else None
        if report is None or number is None:
            return None
        return number, report.diagnosis.findings[number]

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Greys what would do nothing now."""
        chosen = self._chosen()
        idle = not self._state.busy
        enabled = {
            "copy": bool(chosen and chosen[1].remedy),
            "details": self._state.report is not None,
            "again": idle,
            "measure": idle,
        }
        return super().check_action(action, parameters) if enabled.get(action, True) else None

    def action_copy(self) -> None:
        """Copies the chosen finding's remedy, and shows it where the terminal does not copy."""
        if (chosen := self._chosen()) and (remedy := chosen[1].remedy):
            self.app.copy_to_clipboard(remedy)
            self.notify(safe_text(remedy, 400), title="Copied", markup=False)

    @on(OptionList.OptionSelected, "#findings")
    def _open_or_close(self) -> None:
        """Shows or hides what follows from the chosen finding."""
        if (chosen := self._chosen()) and chosen[1].consequences:
            self._opened ^= {chosen[1].id}
            self._draw_finding(*chosen)

    @on(OptionList.OptionHighlighted, "#findings")
    def _highlighted(self) -> None:
        """Back to where the findings are; and c copies only where there is a remedy."""
        self.query_one("#report").scroll_home(animate=False)
        self.refresh_bindings()

    def action_details(self) -> None:
        """Each probe, and what it printed."""
        if self._state.report:
            self.app.push_screen(DetailsScreen(self._state.report))

    def action_page(self, step: int) -> None:
        """Scrolls the report."""
        pane = self.query_one("#report")
        if step > 0:
            pane.scroll_page_down(animate=False)
        else:
            pane.scroll_page_up(animate=False)
