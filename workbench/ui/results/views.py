"""The results of a run: its main metrics, confusion matrix, table of labels, worst errors."""

from collections.abc import Iterator

from rich.text import Text
from textual.widgets import DataTable

from workbench.messages import tr
from workbench.render.layers import labelled_line
from workbench.runs.confusion import ClassMetrics, ConfusedPair, worst_classes
from workbench.runs.history import History
from workbench.runs.results import (
    MIRRORED,
    Results,
    caveats,
    describe_reference,
)
from workbench.runs.score import format_scores
from workbench.runs.state import describe_early_end
from workbench.text import cell_width, cut_cells, pad_cells, percent, plural, safe_text
from workbench.words import shown

LABEL = 10  # cells of a label in the matrix, and in the table of labels
MAX_LABEL_ROWS = 100
PAIR_LABEL = 20  # cells of a label among the pairs, in a column that is two wider
# Cells of each column.
PAIR_COLUMNS = {tr("is"): 22, tr("called"): 22, tr("images"): 8, tr("of the label"): 14}
CLASS_COLUMNS = {tr("label"): LABEL, tr("images"): 7, tr("precision"): 9, tr("recall"): 6}
_SHADES, _ASCII_SHADES = "·░▒▓█", ".:+#@"
_SHADE_FROM = (0.0, 0.05, 0.25, 0.5, 0.75)  # share of the row from which each is shown


class ConfusionMatrix(DataTable[Text]):
    """A column for each predicted label; the column of true labels does not scroll.

    With too many labels for a matrix it shows the pairs confused most.
    """

    DEFAULT_CSS = """
    ConfusionMatrix:focus { background-tint: $background 0%; }
    ConfusionMatrix > .datatable--fixed { background: $background; }
    """

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as in Textual
        super().__init__(id=id, cell_padding=0, cursor_type="none")

    def fill(self, results: Results, utf8: bool) -> None:
        """Replace the content."""
        self.clear(columns=True)
        if not results.confusion.matrix:
            self._fill_pairs(results)
            return
        width = column_width(results)
        self.add_column(Text(""), width=LABEL + 2)
        for name in _matrix_names(results):
            self.add_column(Text(pad_cells(name, width, "r")), width=width)
        self.fixed_columns = 1
        self.add_rows(matrix_rows(results, utf8))

    def _fill_pairs(self, results: Results) -> None:
        self.fixed_columns = 0
        for title, width in PAIR_COLUMNS.items() if results.confusion.pairs else ():
            right = title in (tr("images"), tr("of the label"))
            self.add_column(Text(title, justify="right" if right else "left"), width=width)
        self.add_rows(map(pair_cells, results.confusion.pairs))


class LabelTable(DataTable[Text]):
    """Images, precision and recall of each label, or of the worst of many."""

    WIDTH = sum(CLASS_COLUMNS.values()) + 2 * len(CLASS_COLUMNS) + 2  # cells, with a scroll bar

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as in Textual
        super().__init__(id=id, cursor_type="none")

    def fill(self, results: Results) -> None:
        """Replace the content."""
        self.clear(columns=True)
        for title, width in CLASS_COLUMNS.items():
            head = Text(title, justify="left" if title == tr("label") else "right")
            self.add_column(head, width=width)
        classes = list(results.classes)
        if len(classes) > MAX_LABEL_ROWS:
            classes = worst_classes(classes, MAX_LABEL_ROWS)
        self.add_rows(map(class_cells, classes))


def shade(share: float, utf8: bool = True) -> str:
    """Return one character for a share of 1, darker for more; a blank for 0."""
    shades = _SHADES if utf8 else _ASCII_SHADES
    reached = [mark for mark, start in zip(shades, _SHADE_FROM, strict=True) if share >= start]
    return reached[-1] if share > 0 else " "


def _matrix_names(results: Results) -> list[str]:
    return [cut_cells(safe_text(label, LABEL), LABEL) for label in results.labels]


def column_width(results: Results) -> int:
    """Return the cells of a matrix column: a count, a shade and the gap before."""
    counted = max(len(f"{max(row):,}") for row in results.confusion.matrix)
    named = max(map(cell_width, _matrix_names(results)))
    return max(6, named + 2, counted + 4)


def matrix_width(results: Results) -> int:
    """Return the cells of the whole matrix, or of the table of pairs."""
    if not results.confusion.matrix:
        return sum(PAIR_COLUMNS.values())
    return LABEL + 2 + len(results.labels) * column_width(results)


def matrix_rows(results: Results, utf8: bool) -> Iterator[list[Text]]:
    """Yield a row for each true label; shades show the shares of the row."""
    width = column_width(results)
    matrix = results.confusion.matrix
    for at, (name, row) in enumerate(zip(_matrix_names(results), matrix, strict=True)):
        total = sum(row)
        cells = [Text(pad_cells(name, LABEL + 2))]
        for column, count in enumerate(row):
            mark = shade(count / total if total else 0.0, utf8)
            style = "bold" if at == column else "" if count else "dim"
            cells.append(Text(f"{count:,}".rjust(width - 2) + f" {mark}", style))
        yield cells


def pair_cells(pair: ConfusedPair) -> list[Text]:
    """Return two labels, how many images of the first were called the second, their share."""
    names = (Text(safe_text(name, PAIR_LABEL)) for name in (pair.label, pair.predicted))
    numbers = (f"{pair.count:,}", percent(pair.share))
    return [*names, *(Text(number, justify="right") for number in numbers)]


def class_cells(one: ClassMetrics) -> list[Text]:
    """Return a label as a row of its table."""
    numbers = (f"{one.images:,}", _share(one.precision), _share(one.recall))
    label = Text(cut_cells(safe_text(one.label, LABEL), LABEL))
    return [label, *(Text(number, justify="right") for number in numbers)]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def summary_lines(
    results: Results, history: History, preset: str | None, warning: str
) -> list[Text]:
    """Return the main metrics, a labelled line each.

    Args:
        results: of the run.
        history: of the run; for the accuracy of the kept epoch.
        preset: of the run; for the reference accuracy.
        warning: colour of the caveats.
    """
    low, high = results.interval
    first = labelled_line(shown(results.split), f"{results.accuracy:.4f}", "bold")
    first.append(tr("  ({low:.4f} to {high:.4f} with 95 % confidence)  ", low=low, high=high))
    lines = [first.append(tr("{images:,} images", images=results.images), "dim")]
    if results.scores:
        scores = (f"{title} {score}" for title, score in format_scores(results.scores))
        lines.append(labelled_line(tr("also"), ", ".join(scores)))
    if results.mirrored:
        lines.append(labelled_line(tr("mirrored"), MIRRORED, "dim"))
    kept = history.kept
    if kept and kept.val_accuracy is not None:
        line = labelled_line(tr("validation"), f"{kept.val_accuracy:.4f}")
        line.append(
            tr("  by cross-validation of the solved head")
            if history.is_solved(kept.stage)
            else tr(
                "  in stage {stage}, epoch {epoch}, the one kept",
                stage=kept.stage + 1,
                epoch=kept.epoch,
            )
        )
        if kept.accuracy is not None:
            line.append(tr("; training {accuracy:.4f}", accuracy=kept.accuracy), "dim")
        lines.append(line)
    if early := describe_early_end(history):
        lines.append(labelled_line(tr("ended"), early, warning))
    if reference := describe_reference(preset, results.labels):
        lines.append(labelled_line(tr("compare"), reference).append(tr("  same preset"), "dim"))
    if results.shifted:
        pixels, accuracy = results.shifted
        line = labelled_line(tr("shifted"), f"{accuracy:.4f}")
        lines.append(line.append(tr("  with images moved by {pixels} pixels", pixels=pixels)))
    for number, caveat in enumerate(caveats(results)):
        lines.append(
            labelled_line("" if number else tr("note"), caveat.removeprefix(tr("Note: ")), warning)
        )
    return lines


def view_tabs(results: Results, shown: str, key: str) -> Text:
    """Return the names of the views in a line, that of the present one marked.

    Args:
        results: of the run; the label with the lowest recall and the errors are named.
        shown: the present view.
        key: that shows the next one.
    """
    known = [one for one in results.classes if one.recall is not None and one.recall < 1]
    labels = tr("labels")
    if known:
        lowest = min(one.recall or 0.0 for one in known)
        weakest = [one for one in known if one.recall == lowest]
        labels = tr("labels ({count} with recall {recall:.2f})", count=len(weakest), recall=lowest)
        if len(weakest) == 1:
            name = cut_cells(safe_text(weakest[0].label, 2 * LABEL), 2 * LABEL)
            labels = tr("labels, {label} has recall {recall:.2f}", label=name, recall=lowest)
    tabs = {
        "matrix": tr("confusion"),
        "classes": labels,
        "errors": plural(results.wrong, "error"),
    }
    text = Text(no_wrap=True)
    for name, title in tabs.items():
        text.append(" · " if text else "", "dim")
        text.append(f"[{title}]" if name == shown else title, "bold" if name == shown else "dim")
    return text.append(f"   {key}", "bold").append(" " + tr("the next one"), "dim")


def view_titles(results: Results, wider: bool, higher: bool) -> dict[str, str]:
    """Return the title of each view that has one.

    Args:
        results: of the run.
        wider: True if the matrix has columns outside the terminal.
        higher: True if the matrix has rows outside the terminal.
    """
    wrong = results.wrong
    more = tr(", more below: arrow keys") if higher else tr(", arrow keys scroll") if wider else ""
    order = tr("; the least probable true label first") if wrong > 1 else ""
    return {
        "matrix": _matrix_title(results, more),
        "classes": _classes_title(results),
        "errors": tr("{wrong:,} wrong{order}", wrong=wrong, order=order)
        if wrong
        else tr("not one image was wrong"),
    }


def _matrix_title(results: Results, more: str) -> str:
    found = results.confusion
    if found.matrix:
        return tr("confusion: true label in rows, predicted in columns{more}", more=more)
    if not found.pairs:
        return tr("not one image was wrong")
    whole = tr("; the whole matrix: {file}", file=safe_text(found.file, 40)) if found.file else ""
    return tr(
        "most confused of {labels_count:,} labels{whole}{more}",
        labels_count=len(results.labels),
        whole=whole,
        more=more,
    )


def _classes_title(results: Results) -> str:
    if len(results.classes) <= MAX_LABEL_ROWS:
        return tr("{labels} labels", labels=len(results.labels))
    return tr(
        "the {max_label_rows} of {labels_count:,} labels with the lowest recall",
        max_label_rows=MAX_LABEL_ROWS,
        labels_count=len(results.labels),
    )
