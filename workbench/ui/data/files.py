"""The files of a finding, a group a line."""

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import OptionList, Static

from workbench.datasets.audit import Finding
from workbench.text import safe_text
from workbench.ui.data.text import finding_lines
from workbench.ui.screen import WorkbenchScreen

MOST = 2000  # lines; who needs all of them has a command


class FilesScreen(WorkbenchScreen):
    """What the audit says, whole, and every file it speaks of.

    Args:
        source: what was scanned, for the command that lists everything.
    """

    DEFAULT_CSS = """
    FilesScreen #message { margin-bottom: 1; }
    FilesScreen OptionList { height: 1fr; border: none; background: $background; }
    """

    def __init__(self, finding: Finding, source: object) -> None:
        super().__init__()
        self._finding = finding
        self._source = source

    def compose_body(self) -> ComposeResult:
        """The message over the files."""
        yield Static(Text(safe_text(self._finding.message, 2000)), id="message")
        lines, left = finding_lines(self._finding, MOST)
        yield OptionList(*(line for line in lines))
        if left:
            source = safe_text(self._source, 200)
            yield Static(Text(f"and {left:,} more: workbench data scan {source} --all"))

    def heading(self) -> Text:
        """What kind of finding it is."""
        return Text(f"{self._finding.severity}: {self._finding.code}", style="bold")
