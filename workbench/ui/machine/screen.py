"""The machine: whether training runs on a GPU here, how to fix it if not, and how busy it is."""

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

from workbench.app.draft import Draft
from workbench.app.jobs import CheckState
from workbench.machine.check import MachineReport
from workbench.machine.finding import Finding
from workbench.messages import tr
from workbench.text import format_seconds, safe_text
from workbench.ui.base import WorkbenchScreen
from workbench.ui.dialogs import Confirm
from workbench.ui.guide import StepScreen
from workbench.ui.keys import key_of
from workbench.ui.machine.views import (
    LiveGauges,
    TextStyle,
    describe_age,
    facts_table,
    format_details,
    format_finding,
    format_verdict,
)
from workbench.ui.widgets.concept_notes import ConceptNotes

POLL_SECONDS = 0.1  # between two polls of a running check
AGE_SECONDS = 10.0  # between two updates of the report's age
DETAIL_ROWS = 40  # of a terminal with room for the details below the facts
NOTES = ("machine", "batches")  # concepts below the details


class CheckChanged(Message):
    """The check progressed, ended or failed."""

    def __init__(self, state: CheckState) -> None:
        super().__init__()
        self.state = state


class MachineScreen(WorkbenchScreen):
    """Verdict, findings with their remedies, facts about the machine, live gauges."""

    PAGED = "#report"
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
    MachineScreen #probes { display: none; margin-top: 1; color: $secondary; }
    MachineScreen.-high #probes { display: block; }
    MachineScreen.-wide #machine { layout: horizontal; }
    MachineScreen.-wide #report { width: 1fr; }
    MachineScreen.-wide #gauges {
        width: 40%; min-width: 44; height: 1fr; max-height: 100%; margin: 0 0 0 2;
    }
    MachineScreen ConceptNotes { margin-top: 2; }
    MachineScreen.-wide UsagePlot { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", tr("Copy"), id="copy", tooltip=tr("the remedy, to the clipboard")),
        Binding(
            "v", "details", tr("Details"), id="details", tooltip=tr("each probe and its output")
        ),
        Binding("r", "retry", tr("Retry"), id="retry", tooltip=tr("check the machine again")),
        Binding(
            "w", "measure", tr("Measure"), id="measure", tooltip=tr("try and time it all again")
        ),
        Binding("space", "toggle_row", show=False, id="machine.consequences"),
        Binding("pagedown", "page(1)", id="scroll.down", show=False, priority=True),
        Binding("pageup", "page(-1)", id="scroll.up", show=False, priority=True),
        Binding("end", "scroll_bottom", id="machine.last", show=False, priority=True),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._state = CheckState()
        self._opened: set[str] = set()  # findings whose consequences are shown

    @property
    def _text_style(self) -> TextStyle:
        return TextStyle(self.workbench.utf8, self.color)

    def compose_body(self) -> ComposeResult:
        """Yield the findings and what is below them, and the gauges below or beside."""
        with Vertical(id="machine"):
            with VerticalScroll(id="report", can_focus=False):
                yield Static(id="verdict")
                yield OptionList(id="findings")
                yield Static(id="rows")
                yield Static(id="probes")
                yield ConceptNotes(NOTES)
            yield LiveGauges(self._text_style, self.workbench.poll_seconds, id="gauges")

    def on_resize(self) -> None:
        """Show the details of `v` below the facts too where there is room."""
        self.set_class(self.app.size.height >= DETAIL_ROWS, "-high")

    def heading(self) -> Text:
        """Return the phase of a running check, or the age of the report."""
        state = self._state
        text = Text(tr("machine"), style="bold")
        if state.busy:
            steps = (
                " " + tr("({step} of {steps})", step=state.step, steps=state.steps)
                if state.steps
                else ""
            )
            text.append(
                "  "
                + tr("checking: {phase}{steps} ...", phase=safe_text(state.phase, 50), steps=steps),
                "not bold",
            )
        elif state.report:
            text.append(
                "  " + tr("checked {time}", time=describe_age(time.time() - state.when)), "not bold"
            )
        return text

    def on_mount(self) -> None:
        """Show the last report, or start a check."""
        known = self.workbench.machine_check.state
        self.set_interval(AGE_SECONDS, self.refresh_heading)
        self.app.theme_changed_signal.subscribe(self, self._repaint)
        self._show(known)
        if known.busy or not known.report:
            self._check(measure=False)

    def on_screen_resume(self) -> None:
        """Start the gauges."""
        self.query_one(LiveGauges).start_polling()

    def on_screen_suspend(self) -> None:
        """Stop the gauges while they are not seen."""
        self.query_one(LiveGauges).stop_polling()

    # The check

    @work(thread=True, exclusive=True, group="check", exit_on_error=False)
    def _check(self, measure: bool) -> None:
        """Start a check, or join the running one, and post its progress."""
        worker, check = get_current_worker(), self.workbench.machine_check
        check.start(self.workbench.workspace, measure)
        posted = None
        while not worker.is_cancelled:
            state = check.state
            if state is not posted:
                self.post_message(CheckChanged(state))
                posted = state
            if not state.busy:
                return
            time.sleep(POLL_SECONDS)

    @on(CheckChanged)
    def _check_changed(self, message: CheckChanged) -> None:
        self._show(message.state)

    def action_retry(self) -> None:
        """Check the machine again."""
        self._check(measure=False)

    def action_measure(self) -> None:
        """Check the machine again, with its benchmarks."""
        self._check(measure=True)

    # The report

    def _show(self, state: CheckState) -> None:
        """Draw a state; the report only if it is a new one."""
        new = state.report is not self._state.report
        self._state = state
        self._draw_verdict()
        findings = self.query_one(OptionList)
        if new and state.report:
            self._opened.clear()
            found = state.report.diagnosis.findings
            findings.set_options(Option(self._prompt(one)) for one in found)
            findings.highlighted = 0 if found else None
            self.query_one("#rows", Static).update(facts_table(state.report))
            self.query_one("#probes", Static).update(format_details(state.report))
            findings.focus()
        findings.display = bool(findings.option_count)
        self.refresh_heading()
        self.refresh_bindings()

    def _repaint(self, _: Theme) -> None:
        """Draw the texts again in the colors of another theme."""
        self._draw_verdict()
        findings = self._state.report.diagnosis.findings if self._state.report else ()
        for number, finding in enumerate(findings):
            self._draw_finding(number, finding)

    def _draw_verdict(self) -> None:
        text = format_verdict(self._state, self._text_style, key_of(self, "retry"))
        self.query_one("#verdict", Static).update(text)

    def _draw_finding(self, number: int, finding: Finding) -> None:
        findings = self.query_one(OptionList)
        findings.replace_option_prompt_at_index(number, self._prompt(finding))

    def _prompt(self, finding: Finding) -> Table:
        return format_finding(finding, finding.id in self._opened, self._text_style)

    def _chosen(self) -> tuple[int, Finding] | None:
        """Return the finding under the cursor and its position in the list."""
        report = self._state.report
        number = self.query_one(OptionList).highlighted if report and self.is_mounted else None
        if report is None or number is None:
            return None
        return number, report.diagnosis.findings[number]

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey out what would do nothing now."""
        chosen = self._chosen()
        idle = not self._state.busy
        enabled = {
            "copy": bool(chosen and chosen[1].remedy),
            "details": self._state.report is not None,
            "retry": idle,
            "measure": idle,
        }
        return super().check_action(action, parameters) if enabled.get(action, True) else None

    def action_scroll_bottom(self) -> None:
        """Select the last finding, and scroll to the end of the facts."""
        findings = self.query_one(OptionList)
        if findings.option_count:
            findings.action_last()
        # After the scrolling to the findings that a move of their cursor causes.
        self.call_after_refresh(self.query_one("#report").scroll_end, animate=False)

    def action_copy(self) -> None:
        """Copy the remedy of the chosen finding; show it too, as not every terminal copies."""
        if (chosen := self._chosen()) and (remedy := chosen[1].remedy):
            self.workbench.copy_one([(tr("remedy"), remedy)])

    @on(OptionList.OptionSelected, "#findings")
    def selected(self, event: OptionList.OptionSelected) -> None:
        """Show or hide the consequences of the finding."""
        event.stop()
        self.action_toggle_row()

    def action_toggle_row(self) -> None:
        """Show or hide the consequences of the chosen finding."""
        if (chosen := self._chosen()) and chosen[1].consequences:
            self._opened ^= {chosen[1].id}
            self._draw_finding(*chosen)

    @on(OptionList.OptionHighlighted, "#findings")
    def _highlighted(self) -> None:
        """Scroll back to the findings; update the keys, as not every finding has a remedy."""
        self.query_one("#report").scroll_home(animate=False)
        self.refresh_bindings()

    def action_details(self) -> None:
        """Show each probe and its output."""
        if self._state.report:
            self.app.push_screen(DetailsScreen(self._state.report))


class DetailsScreen(WorkbenchScreen):
    """Consequences of findings, the result of each probe, and all that they printed."""

    CONCEPTS = ("machine",)
    BINDINGS: ClassVar[list[BindingType]] = [Binding("v", "back", show=False, id="machine.results")]

    def __init__(self, report: MachineReport) -> None:
        super().__init__()
        self._report = report

    def heading(self) -> Text:
        """Return how long the check took."""
        text = Text(tr("machine, details"), style="bold")
        return text.append(
            tr("  checked in {seconds}", seconds=format_seconds(self._report.seconds)), "not bold"
        )

    def compose_body(self) -> ComposeResult:
        """Yield everything in one text that scrolls."""
        with VerticalScroll(id="details"):
            yield Static(format_details(self._report))


class MachineStep(MachineScreen, StepScreen):
    """The machine check as the first step of a new experiment; it can be left at any time.

    Enter goes on, as in every step; space shows consequences. A measurement is confirmed first:
    who types the name of a folder here, a step too early, starts none.
    """

    STEP = 0
    heading = StepScreen.heading

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,n", "next_step", tr("Next: data"), id="machine.next")
    ]

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft

    @on(OptionList.OptionSelected, "#findings")
    def selected(self, event: OptionList.OptionSelected) -> None:
        """Go on: enter was pressed on a finding."""
        event.stop()
        event.prevent_default()
        self.go_on()

    def action_measure(self) -> None:
        """Ask, then check the machine again, with its benchmarks."""

        def answered(yes: bool | None) -> None:
            if yes:
                super(MachineStep, self).action_measure()

        question = tr("Measure this machine again? The images are chosen in the next step: enter.")
        self.app.push_screen(Confirm(question, tr("Measure"), harmless=True), answered)

    def go_on(self) -> None:
        """Complete the step and open the next one."""
        self.draft.complete_step("machine")
        self.refresh_heading()
        self.workbench.open("data", self.draft)
