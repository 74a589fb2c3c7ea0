"""Runs of a workspace side by side: read from their folders, drawn with a column per run."""

import textwrap
from collections import Counter
from collections.abc import Sequence

from rich.text import Text

from workbench.analysis.compare import (
    ComparedRun,
    Comparison,
    DifferenceRow,
    RunResult,
    StageMetrics,
    compare,
    load_run,
)
from workbench.analysis.errors import read_predictions
from workbench.analysis.significance import CorrectByImage
from workbench.datasets.manifest import read_manifest
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.render.compare import (
    RESULT_COLUMNS,
    describe_comparison,
    format_value,
    group_layers,
    result_cells,
    stage_cells,
)
from workbench.runs.folder import RunFolder, find_run
from workbench.text import safe_text

STAGE_FIGURES = ("epochs", "best epoch", "best validation", "trains", "optimizer")
MOST_KEY = 26  # cells of the names of the rows
LEAST_COLUMN, MOST_COLUMN = 20, 40  # cells of a run's column; a random base's note fits
GAP = 2


def compare_runs(workspace: Workspace, names: Sequence[str]) -> Comparison:
    """Compare the runs of these names. Reads all their events: call it in a thread.

    Raises:
        UserError: there is no such run, or only one.
    """
    folders = list(dict.fromkeys(find_run(workspace, name) for name in names))
    if len(folders) < 2:
        raise UserError("Name at least two different runs.", "See: workbench runs")
    return compare([_load(folder) for folder in folders])


def _load(folder: RunFolder) -> ComparedRun:
    test = read_test_images(folder)
    if test is None:
        return load_run(folder)
    return load_run(folder, Counter(test.values()), read_correctness(folder, test))


def read_test_images(folder: RunFolder) -> dict[str, tuple[str, str]] | None:
    """Return hash and label of each test image by path; None if the manifest is unreadable."""
    try:
        rows = read_manifest(folder.manifest_path)
    except UserError:
        return None
    return {row.path: (row.pixel_hash, row.label) for row in rows if row.split == "test"}


def read_correctness(folder: RunFolder, test: dict[str, tuple[str, str]]) -> CorrectByImage | None:
    """Return whether each test image was predicted correctly; None without predictions.

    `test` has hash and label by path.
    """
    try:
        predictions = read_predictions(folder.predictions_path)
    except UserError:
        return None
    pairs = zip(predictions.paths, predictions.right, strict=True)
    return {test[path]: bool(right) for path, right in pairs if path in test}


def comparison_grid(comparison: Comparison, room: int, color: str = "") -> Text:
    """Draw the conclusions and below them a column per run; wider than `room` cells for many runs.

    Titles have the `color`.
    """
    conclusions = [
        textwrap.fill(safe_text(line, 600), room) for line in describe_comparison(comparison)
    ]
    text = Text("\n".join(conclusions), no_wrap=True)
    width = _column_width(len(comparison.runs), room)
    _add_row(text, "", comparison.runs, width, "bold", before="\n\n")
    for title, rows in _sections(comparison):
        text.append(f"\n\n{title}", color)
        for row in rows:
            _add_row(text, row.key, row.values, width, "bold" if row.key == "accuracy" else "")
    return text


def _sections(comparison: Comparison) -> list[tuple[str, list[DifferenceRow]]]:
    """Return titles and their rows."""
    settings = "settings that differ" if comparison.spec else "the settings are the same"
    sections = [("results", _result_rows(comparison.results)), (settings, comparison.spec)]
    if comparison.layers:
        sections.append(("layers not frozen alike", group_layers(comparison.layers)))
    if comparison.stages:
        sections.append(("stages", _stage_rows(comparison)))
    return sections


def _result_rows(results: list[RunResult]) -> list[DifferenceRow]:
    columns = zip(*map(result_cells, results), strict=True)
    rows = [DifferenceRow(name, cells) for name, cells in zip(RESULT_COLUMNS, columns, strict=True)]
    if any(r.random_weights for r in results):
        noted = tuple("random weights" if r.random_weights else None for r in results)
        rows.append(DifferenceRow("base", noted))
    return rows


def _stage_rows(comparison: Comparison) -> list[DifferenceRow]:
    rows = []
    for stage in dict.fromkeys(figures.stage for figures in comparison.stages):
        by_run = {s.run: s for s in comparison.stages if s.stage == stage}
        found = [by_run.get(run) for run in comparison.runs]
        names = tuple(s.name if s else None for s in found)
        columns = zip(*map(_cells_of_stage, found), strict=True)
        rows.append(DifferenceRow(f"stage {stage + 1}", names))
        rows += [
            DifferenceRow(f"  {n}", cells) for n, cells in zip(STAGE_FIGURES, columns, strict=True)
        ]
    return rows


def _cells_of_stage(figures: StageMetrics | None) -> tuple[str | None, ...]:
    return stage_cells(figures) if figures else (None,) * len(STAGE_FIGURES)


def _column_width(runs: int, room: int) -> int:
    return min(max((room - MOST_KEY) // runs - GAP, LEAST_COLUMN), MOST_COLUMN)


def _add_row(
    text: Text, key: str, values: Sequence[object], width: int, style: str, before: str = "\n"
) -> None:
    text.append(f"{before}{safe_text(key, MOST_KEY):<{MOST_KEY}}", "dim")
    cells = [f"{'':{GAP}}{format_value(value, width):<{width}}" for value in values]
    text.append("".join(cells).rstrip(), style)
