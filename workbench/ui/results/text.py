"""What a finished run came to, in words and cells. Pure."""

from collections.abc import Iterator
from pathlib import Path

from rich.text import Text

from workbench.render.layers import named_line
from workbench.runs.confusion import ClassFigures, Confused, worst_classes
from workbench.runs.history import History
from workbench.runs.results import Results, WorstError, cautions, figures_beside
from workbench.text import safe_text

LABEL = 10  # cells of a label in the matrix, and in the table of labels
MOST_CLASSES = 100  # rows of the table of labels
PAIR_LABEL = 20  # cells of a label among the pairs, in a column that is two wider
PAIR_COLUMNS = {"is": 22, "called": 22, "images": 8, "of the label": 14}  # cells of each
CLASS_COLUMNS = {"label": LABEL, "images": 7, "precision": 9, "recall": 6}  # cells of each
_SHADES, _ASCII_SHADES = "·░▒▓█", ".:+#@"
_SHADE_FROM = (0.0, 0.05, 0.25, 0.5, 0.75)  # share of the row from which each is shown


def summary_lines(
    results: Results, history: History, preset: str | None, warning: str
) -> list[Text]:
    """The figures that stand on top, a named line each.

    Args:
        preset: of the run, to find the book's figure.
        warning: colour of what takes worth from the figures.
    """
    low, high = results.interval
    first = named_line(results.split, f"{results.accuracy:.4f}", "bold")
    first.append(f"  ({low:.4f} to {high:.4f} with 95 % confidence)  ")
    lines = [first.append(f"{results.images:,} images", "dim")]
    kept = history.kept
    if kept and kept.val_accuracy is not None:
        line = named_line("validation", f"{kept.val_accuracy:.4f}")
        line.append(f"  in stage {kept.stage + 1}, epoch {kept.epoch}, the one kept")
        if kept.accuracy is not None:
            line.append(f"; training {kept.accuracy:.4f}", "dim")
        lines.append(line)
    if beside := figures_beside(preset):
        lines.append(named_line("compare", beside).append("  same preset", "dim"))
    if results.shifted:
        pixels, accuracy = results.shifted
        line = named_line("shifted", f"{accuracy:.4f}")
        lines.append(line.append(f"  with images moved by {pixels} pixels"))
    for number, words in enumerate(cautions(results)):
        lines.append(named_line("" if number else "mind", words.removeprefix("Mind: "), warning))
    return lines


def view_titles(results: Results, wider: bool, higher: bool) -> dict[str, str]:
    """The line over each view that has one.

    Args:
        wider: whether the matrix has columns that the terminal has no room for.
        higher: the same of its rows.
    """
    wrong = results.wrong
    more = ", more below: arrow keys" if higher else ", arrow keys scroll" if wider else ""
    order = "; the least probable true label first" if wrong > 1 else ""
    errors = f"{wrong:,} wrong{order}" if wrong else "not one image was wrong"
    return {
        "matrix": _matrix_title(results, more),
        "classes": _classes_title(results),
        "errors": errors,
    }


def _matrix_title(results: Results, more: str) -> str:
    found = results.confusion
    if found.matrix:
        return f"confusion: true label in rows, predicted in columns{more}"
    if not found.pairs:
        return "not one image was wrong"
    whole = f"; the whole matrix: {safe_text(found.file, 40)}" if found.file else ""
    return f"most confused of {len(results.labels):,} labels{whole}{more}"


def _classes_title(results: Results) -> str:
    if len(results.classes) <= MOST_CLASSES:
        return f"{len(results.labels)} labels"
    return f"the {MOST_CLASSES} of {len(results.labels):,} labels with the lowest recall"


def shade(share: float, utf8: bool = True) -> str:
    """One character for a share of 1: the darker, the more; a blank for none."""
    shades = _SHADES if utf8 else _ASCII_SHADES
    reached = [mark for mark, least in zip(shades, _SHADE_FROM, strict=True) if share >= least]
    return reached[-1] if share > 0 else " "


def matrix_names(results: Results) -> list[str]:
    """The labels as the matrix has room for them."""
    return [safe_text(label, LABEL) for label in results.labels]


def matrix_column(results: Results) -> int:
    """Cells of a column of the matrix, which holds a count, a shade and the gap before."""
    counted = max(len(f"{max(row):,}") for row in results.confusion.matrix)
    named = max(map(len, matrix_names(results)))
    return max(6, named + 2, counted + 4)


def matrix_width(results: Results) -> int:
    """Cells of the whole matrix, or of the pairs in its place."""
    if not results.confusion.matrix:
        return sum(PAIR_COLUMNS.values())
    return LABEL + 2 + len(results.labels) * matrix_column(results)


def matrix_rows(results: Results, utf8: bool) -> Iterator[list[Text]]:
    """A row a true label; a shade stands for the share of the row."""
    width = matrix_column(results)
    matrix = results.confusion.matrix
    for at, (name, row) in enumerate(zip(matrix_names(results), matrix, strict=True)):
        whole_row = sum(row)
        cells = [Text(name.ljust(LABEL + 2))]
        for column, n in enumerate(row):
            mark = shade(n / whole_row if whole_row else 0.0, utf8)
            style = "bold" if at == column else "" if n else "dim"
            cells.append(Text(f"{n:,}".rjust(width - 2) + f" {mark}", style))
        yield cells


def pair_cells(one: Confused) -> list[Text]:
    """Two labels, how many images of the first were called the second, and their share."""
    names = (Text(safe_text(name, PAIR_LABEL)) for name in (one.label, one.predicted))
    figures = (f"{one.count:,}", f"{one.share:.0%}")
    return [*names, *(Text(figure, justify="right") for figure in figures)]


def shown_classes(results: Results) -> list[ClassFigures]:
    """All labels as they come, or the worst of many."""
    if len(results.classes) <= MOST_CLASSES:
        return list(results.classes)
    return worst_classes(results.classes, MOST_CLASSES)


def class_cells(one: ClassFigures) -> list[Text]:
    """A label as a row of its table."""
    figures = (f"{one.images:,}", _share(one.precision), _share(one.recall))
    label = Text(safe_text(one.label, CLASS_COLUMNS["label"]))
    return [label, *(Text(figure, justify="right") for figure in figures)]


def error_text(error: WorstError, picture: Text, width: int) -> Text:
    """The image's name and both labels, over its picture of so many cells."""
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(safe_text(Path(error.path).name, width), "dim")
    text.append("\nis ").append(safe_text(error.label, width - 3), "bold")
    room = width - len("said  0.00")
    text.append("\nsaid ").append(safe_text(error.predicted, max(room, 8)), "bold")
    return text.append(f" {error.probability:.2f}\n").append_text(picture)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
