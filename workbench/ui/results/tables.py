"""The confusion matrix and the table of labels."""

from rich.text import Text
from textual.widgets import DataTable

from workbench.runs.results import Results
from workbench.ui.results.text import (
    CLASS_COLUMNS,
    LABEL,
    PAIR_COLUMNS,
    class_cells,
    matrix_column,
    matrix_names,
    matrix_rows,
    pair_cells,
    shown_classes,
)


class ConfusionMatrix(DataTable[Text]):
    """A column a predicted label; the true labels stay while the rest scrolls.

    In its place are the pairs confused most where there are too many labels for a matrix.
    """

    DEFAULT_CSS = """
    ConfusionMatrix:focus { background-tint: $background 0%; }
    ConfusionMatrix > .datatable--fixed { background: $background; }
    """

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        super().__init__(id=id, cell_padding=0, cursor_type="none")

    def fill(self, results: Results, utf8: bool) -> None:
        """Replaces all of it."""
        self.clear(columns=True)
        if not results.confusion.matrix:
            self._fill_pairs(results)
            return
        width = matrix_column(results)
        self.add_column(Text(""), width=LABEL + 2)
        for name in matrix_names(results):
            self.add_column(Text(name.rjust(width)), width=width)
        self.fixed_columns = 1
        self.add_rows(matrix_rows(results, utf8))

    def _fill_pairs(self, results: Results) -> None:
        self.fixed_columns = 0
        for title, width in PAIR_COLUMNS.items() if results.confusion.pairs else ():
            figures = title in ("images", "of the label")
            head = Text(title, justify="right" if figures else "left")
            self.add_column(head, width=width)
        self.add_rows(map(pair_cells, results.confusion.pairs))


class LabelTable(DataTable[Text]):
    """Images, precision and recall of each label, or of the worst of many."""

    WIDTH = sum(CLASS_COLUMNS.values()) + 2 * len(CLASS_COLUMNS) + 2  # cells, a scroll bar too

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        super().__init__(id=id, cursor_type="none")

    def fill(self, results: Results) -> None:
        """Replaces all of it."""
        self.clear(columns=True)
        for title, width in CLASS_COLUMNS.items():
            head = Text(title, justify="left" if title == "label" else "right")
            self.add_column(head, width=width)
        self.add_rows(map(class_cells, shown_classes(results)))
