"""The results of a run as text: the lines at the top, and the titles of the views. Pure."""

from rich.text import Text

from workbench.render.layers import labelled_line
from workbench.runs.history import History
from workbench.runs.results import Results, caveats, describe_reference
from workbench.text import safe_text
from workbench.ui.results.tables import MAX_LABEL_ROWS


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
    first = labelled_line(results.split, f"{results.accuracy:.4f}", "bold")
    first.append(f"  ({low:.4f} to {high:.4f} with 95 % confidence)  ")
    lines = [first.append(f"{results.images:,} images", "dim")]
    kept = history.kept
    if kept and kept.val_accuracy is not None:
        line = labelled_line("validation", f"{kept.val_accuracy:.4f}")
        line.append(f"  in stage {kept.stage + 1}, epoch {kept.epoch}, the one kept")
        if kept.accuracy is not None:
            line.append(f"; training {kept.accuracy:.4f}", "dim")
        lines.append(line)
    if reference := describe_reference(preset):
        lines.append(labelled_line("compare", reference).append("  same preset", "dim"))
    if results.shifted:
        pixels, accuracy = results.shifted
        line = labelled_line("shifted", f"{accuracy:.4f}")
        lines.append(line.append(f"  with images moved by {pixels} pixels"))
    for number, caveat in enumerate(caveats(results)):
        lines.append(
            labelled_line("" if number else "note", caveat.removeprefix("Note: "), warning)
        )
    return lines


def view_titles(results: Results, wider: bool, higher: bool) -> dict[str, str]:
    """Return the title of each view that has one.

    Args:
        results: of the run.
        wider: True if the matrix has columns outside the terminal.
        higher: True if the matrix has rows outside the terminal.
    """
    wrong = results.wrong
    more = ", more below: arrow keys" if higher else ", arrow keys scroll" if wider else ""
    order = "; the least probable true label first" if wrong > 1 else ""
    return {
        "matrix": _matrix_title(results, more),
        "classes": _classes_title(results),
        "errors": f"{wrong:,} wrong{order}" if wrong else "not one image was wrong",
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
    if len(results.classes) <= MAX_LABEL_ROWS:
        return f"{len(results.labels)} labels"
    return f"the {MAX_LABEL_ROWS} of {len(results.labels):,} labels with the lowest recall"
