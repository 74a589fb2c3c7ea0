"""The machine check in detail."""

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from workbench.machine.check import Report
from workbench.text import human_seconds
from workbench.ui.machine.text import details_text
from workbench.ui.screen import WorkbenchScreen


class DetailsScreen(WorkbenchScreen):
    """What follows from what, how each probe went, and all that they printed."""

    CONCEPTS = ("machine",)

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report

    def heading(self) -> Text:
        """How long the check took."""
        text = Text("machine, details", style="bold")
        return text.append(f"  checked in {human_seconds(self._report.seconds)}", "not bold")

    def compose_body(self) -> ComposeResult:
        """Everything in one text that scrolls."""
        with VerticalScroll(id="details"):
            yield Static(details_text(self._report))
