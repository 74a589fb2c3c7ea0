"""The confusion matrix and the table of labels."""

from collections.abc import Iterator

from rich.text import Text
from textual.widgets import DataTable

from workbench.runs.confusion import ClassMetrics, ConfusedPair, worst_classes
from workbench.runs.results import Results
from workbench.text import safe_text

LABEL = 10  # cells of a label in the matrix, and in the table of labels
MAX_LABEL_ROWS = 100
PAIR_LABEL = 20  # cells of a label among the pairs, in a column that is two wider
PAIR_COLUMNS = {"is": 22, "called": 22, "images": 8, "of the label": 14}  # cells of each
CLASS_COLUMNS = {"label": LABEL, "images": 7, "precision": 9, "recall": 6}  # cells of each
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
            self.add_column(Text(name.rjust(width)), width=width)
        self.fixed_columns = 1
        self.add_rows(matrix_rows(results, utf8))

    def _fill_pairs(self, results: Results) -> None:
        self.fixed_columns = 0
        for title, width in PAIR_COLUMNS.items() if results.confusion.pairs else ():
            right = title in ("images", "of the label")
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
            head = Text(title, justify="left" if title == "label" else "right")
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
    return [safe_text(label, LABEL) for label in results.labels]


def column_width(results: Results) -> int:
    """Return the cells of a matrix column: a count, a shade and the gap before."""
    counted = max(len(f"{max(row):,}") for row in results.confusion.matrix)
    named = max(map(len, _matrix_names(results)))
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
        cells = [Text(name.ljust(LABEL + 2))]
        for column, count in enumerate(row):
            mark = shade(count / total if total else 0.0, utf8)
            style = "bold" if at == column else "" if count else "dim"
            cells.append(Text(f"{count:,}".rjust(width - 2) + f" {mark}", style))
        yield cells


def pair_cells(pair: ConfusedPair) -> list[Text]:
    """Return two labels, how many images of the first were called the second, their share."""
    names = (Text(safe_text(name, PAIR_LABEL)) for name in (pair.label, pair.predicted))
    numbers = (f"{pair.count:,}", f"{pair.share:.0%}")
    return [*names, *(Text(number, justify="right") for number in numbers)]


def class_cells(one: ClassMetrics) -> list[Text]:
    """Return a label as a row of its table."""
    numbers = (f"{one.images:,}", _share(one.precision), _share(one.recall))
    label = Text(safe_text(one.label, CLASS_COLUMNS["label"]))
    return [label, *(Text(number, justify="right") for number in numbers)]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
