"""Panes of the result of a scan: the findings of the audit with their files, and the split."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import DataTable, Input, OptionList, Static

from workbench.app.draft import Draft, plain_message
from workbench.datasets.findings import AuditFinding, severity_title
from workbench.errors import UserError
from workbench.experiment.facts import DataFacts, expected_images
from workbench.experiment.sections import SPLITS, SplitSpec
from workbench.messages import tr
from workbench.text import cut_cells, plural, safe_text
from workbench.ui.base import WorkbenchScreen
from workbench.words import shown

MAX_LINES = 2000  # the command lists them all
COLORS = {"error": "$error", "warning": "$warning", "note": "$secondary"}
_SEVERITY, _MARGINS = 8, 8  # cells of a row of findings
SPLIT_KEYS = tuple(f"data.split.{part}" for part in SPLITS)
_HINT = tr("tab leads to it, then type other shares, or images of a class")
_HINT_BELOW = tr("two tabs lead to it, then type other shares, or images of a class")
WANTED = tr(
    "train, validation and test: three shares such as 0.7 0.15 0.15, or images of a class such as "
    "100 20 20"
)


class FindingTable(DataTable[Text]):
    """A table that names its enter key in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select_cursor", tr("Files"), id="data.files")
    ]


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
        row = table.cursor_row
        table.clear(columns=True)
        room = max(self.app.size.width - _SEVERITY - _MARGINS, 40)
        table.add_column(tr("severity"), width=_SEVERITY)
        table.add_column(tr("message"), width=room)
        variables = self.app.theme_variables
        for finding in findings:
            color = variables.get(COLORS.get(finding.severity, "$foreground").removeprefix("$"), "")
            table.add_row(
                Text(severity_title(finding.severity), style=color),
                Text(cut_cells(safe_text(finding.message, 400), room)),
            )
        table.move_cursor(row=row)
        table.display = bool(findings)
        count = plural(len(findings), "finding")
        title = (
            tr("{count}; tab, then enter: the files", count=count)
            if findings
            else tr("no findings")
        )
        self.query_one("#findings-title", Static).update(Text(title))

    def on_resize(self) -> None:
        """Cut the messages where the terminal ends now."""
        if self._findings:
            self.show(self._findings)

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
            yield Static(
                Text(
                    tr(
                        "and {left:,} more: workbench data scan {source} --all",
                        left=left,
                        source=source,
                    )
                )
            )

    def heading(self) -> Text:
        """Return the severity of the finding, and how many files it names."""
        files = sum(map(len, self._finding.groups)) or len(self._finding.files)
        severity = severity_title(self._finding.severity)
        return Text.assemble((severity, "bold"), f"  {plural(files, 'file')}")


class SplitField(Vertical):
    """A field for the split, which the draft keeps. Its `Input.Submitted` bubbles.

    Args:
        draft: with the facts of its images once it is shown.

    Attributes:
        error: why the split cannot be used, "" if it can.
    """

    DEFAULT_CSS = """
    SplitField { height: auto; }
    SplitField #split-title { height: 1; color: $secondary; }
    SplitField #split-row { height: auto; max-height: 3; }
    SplitField #split { width: 20; background: $panel; }
    SplitField #split-result { margin-left: 1; width: 1fr; height: auto; }
    """

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self._draft = draft
        self.error = ""

    def compose(self) -> ComposeResult:
        """Yield the title, the field and the images of each part."""
        yield Static(id="split-title")
        with Horizontal(id="split-row"):
            yield Input(id="split", compact=True)
            yield Static(id="split-result")

    def show(self, below_findings: bool) -> None:
        """Show the split of the draft; tab leads to the findings first if there are any."""
        facts = self._draft.facts
        hint = _HINT_BELOW if below_findings else _HINT
        title = tr("split; {hint}", hint=hint)
        field = self.query_one("#split", Input)
        if facts and facts.user_split:
            complete = bool(facts.split_images.get("validation"))  # nothing is left to split
            field.display = not complete
            title = tr("your split") if complete else tr("your split; {hint}", hint=hint)
        self.query_one("#split-title", Static).update(title)
        with field.prevent(Input.Changed):
            field.value = format_split(self._draft.spec().data.split)
        self._show_result()

    @on(Input.Changed, "#split")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        settings, error = parse_split(event.value)
        self._show_result(error or self._apply(settings))

    def _apply(self, settings: dict[str, Any]) -> str:
        """Store a split in the draft; return why it cannot be used."""
        try:
            spec = self._draft.with_settings({**self._draft.settings, **settings})
        except UserError as error:
            return plain_message(error).removeprefix("data.split: ")
        problem = split_error(self._draft.facts, spec.data.split)
        if not problem and spec.data.split != self._draft.spec().data.split:
            self._draft.update(settings)
        return problem

    def _show_result(self, error: str = "") -> None:
        facts, split = self._draft.facts, self._draft.spec().data.split
        self.error = error = error or split_error(facts, split)
        result = self.query_one("#split-result", Static)
        if error:
            color = self.app.theme_variables.get("error", "")
            result.update(Text(f"! {safe_text(error, 200)}", style=color))
        elif facts:
            result.update(format_images(facts, split))


def format_split(split: SplitSpec) -> str:
    """Return a split as it is typed: "0.7 0.15 0.15"."""
    return " ".join(f"{part:g}" if isinstance(part, float) else str(part) for part in split.parts)


def parse_split(typed: str) -> tuple[dict[str, Any], str]:
    """Return settings from three typed numbers, and the error ("" for none)."""
    words = typed.replace(",", " ").split()
    if len(words) != len(SPLITS):
        return {}, WANTED
    values: list[float | int] = []
    for word in words:
        try:
            values.append(int(word) if word.lstrip("+-").isdecimal() else float(word))
        except ValueError:
            return {}, tr("{word} is no number: {wanted}", word=safe_text(word, 12), wanted=WANTED)
    if any(isinstance(value, float) for value in values):  # 0 and 1 beside 0.7 are fractions too
        values = [float(value) for value in values]
    return dict(zip(SPLIT_KEYS, values, strict=True)), ""


def split_error(facts: DataFacts | None, split: SplitSpec) -> str:
    """Return why the images cannot be split like this; "" if they can."""
    requested = sum(int(part) for part in split.parts) if split.counts else 0
    if facts and not facts.user_split and requested > facts.smallest_class:
        return tr(
            "{requested:,} a class requested, the smallest has {smallest_class:,} files",
            requested=requested,
            smallest_class=facts.smallest_class,
        )
    return ""


def format_images(facts: DataFacts, split: SplitSpec) -> Text:
    """Return how many images each part gets."""
    images = expected_images(facts, split)
    text = Text()
    for number, part in enumerate(SPLITS):
        text.append("   " if number else "")
        text.append(f"{shown(part)} ", style="dim")
        text.append(f"{images[part]:,}")
    if not images["test"]:
        text.append("   " + tr("no image is left to test on"), style="bold")
    return text
