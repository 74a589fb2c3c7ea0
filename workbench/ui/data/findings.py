"""What the audit found: a table of findings, and a screen with the files of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import DataTable, OptionList, Static

from workbench.datasets.audit import AuditFinding
from workbench.text import plural, safe_text
from workbench.ui.screen import WorkbenchScreen

MAX_LINES = 2000  # the command lists them all
COLORS = {"error": "$error", "warning": "$warning", "note": "$secondary"}
_SEVERITY_CELLS = 16  # of a row, margins included


class FindingTable(DataTable[Text]):
    """A table that names its enter key in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select_cursor", "Files")]


class FindingList(Vertical):
    """The number of findings above a row for each. Posts `Opened`."""

    DEFAULT_CSS = """
    FindingList { height: auto; }
    FindingList #findings-title { height: 1; color: $secondary; margin-top: 1; }
    """

    @dataclass
    class Opened(Message):
        """The files of a finding are requested."""

        finding: AuditFinding

    def __init__(self) -> None:
        super().__init__()
        self._findings: Sequence[AuditFinding] = ()

    def compose(self) -> ComposeResult:
        """Yield the title and the table."""
        yield Static(id="findings-title")
        yield FindingTable(id="findings", cursor_type="row", show_header=False)

    def show(self, findings: Sequence[AuditFinding]) -> None:
        """Replace the findings."""
        self._findings = findings
        table = self.query_one(FindingTable)
        table.clear(columns=True)
        table.add_columns("severity", "message")
        variables = self.app.theme_variables
        room = max(self.app.size.width - _SEVERITY_CELLS, 40)
        for finding in findings:
            color = variables.get(COLORS.get(finding.severity, "$foreground").removeprefix("$"), "")
            table.add_row(
                Text(safe_text(finding.severity, 8), style=color),
                Text(safe_text(finding.message, room)),
            )
        table.display = bool(findings)
        count = plural(len(findings), "finding")
        title = f"{count}; tab, then enter: the files" if findings else "no findings"
        self.query_one("#findings-title", Static).update(Text(title))

    @on(DataTable.RowSelected, "#findings")
    def _row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.post_message(self.Opened(self._findings[event.cursor_row]))


class FilesScreen(WorkbenchScreen):
    """Show the whole message of a finding, and its files.

    Args:
        finding: of the audit.
        source: what was scanned, for the command that lists everything.
    """

    DEFAULT_CSS = """
    FilesScreen #message { margin-bottom: 1; }
    FilesScreen OptionList { height: 1fr; border: none; background: $background; }
    """

    def __init__(self, finding: AuditFinding, source: object) -> None:
        super().__init__()
        self._finding = finding
        self._source = source

    def compose_body(self) -> ComposeResult:
        """Yield the message above the files."""
        yield Static(Text(safe_text(self._finding.message, 2000)), id="message")
        groups = self._finding.groups or tuple((file,) for file in self._finding.files)
        lines = ("   ".join(safe_text(file, 120) for file in group) for group in groups)
        yield OptionList(*map(Text, islice(lines, MAX_LINES)))
        if len(groups) > MAX_LINES:
            source, left = safe_text(self._source, 200), len(groups) - MAX_LINES
            yield Static(Text(f"and {left:,} more: workbench data scan {source} --all"))

    def heading(self) -> Text:
        """Return severity and code of the finding."""
        return Text(f"{self._finding.severity}: {self._finding.code}", style="bold")
