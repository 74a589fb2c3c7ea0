"""A comparison of runs as text and tables. Strings from outside are made safe here."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

from rich.text import Text

from workbench.analysis.compare import BASE_NAME, Comparison, DifferenceRow, RunResult, StageMetrics
from workbench.experiment.metrics import METRICS, SCORES
from workbench.experiment.stage_titles import stage_title
from workbench.messages import tr
from workbench.render.conclusions import VALUE_WIDTH, describe_comparison
from workbench.runs.score import format_scores
from workbench.runs.summary import CROSS_VALIDATION
from workbench.text import (
    cut_cells,
    fill_cells,
    format_accuracy,
    format_interval,
    format_seconds,
    pad_cells,
    plural,
    safe_text,
    table,
)
from workbench.words import shown

STAGE_COLUMNS = (
    tr("epochs"),
    tr("best epoch"),
    tr("best validation"),
    tr("trains"),
    tr("optimizer"),
)
MOST_KEY = 26  # cells of the names of the rows
LEAST_COLUMN, MOST_COLUMN = 20, 40  # cells of a run's column; a random base's note fits
GAP = 2  # cells between two columns
RESULT_COLUMNS = (
    tr("accuracy"),
    tr("95 % interval"),
    tr("parameters"),
    tr("time"),
    tr("best epoch"),
)


def format_comparison(comparison: Comparison, show_all: bool = True) -> str:
    """Return the whole comparison, what can be concluded last.

    Args:
        comparison: of runs.
        show_all: False leaves out settings that only some of the runs have, as of two strategies.
    """
    runs = comparison.runs
    lines = "\n".join(fill_cells(line, 79) for line in describe_comparison(comparison))
    parts = [tr("results") + "\n" + _results(comparison.results)]
    if scores := measured_scores(comparison):
        parts.append(tr("other metrics\n") + _scores(comparison.results, scores))
    if comparison.spec:
        shown, rest = _settings(comparison, show_all, "--all")
        text = tr("settings that differ\n") + _differences(tr("key"), runs, shown)
        parts.append(f"{text}\n{rest}" if rest else text)
    else:
        parts.append(tr("The settings are the same."))
    if comparison.layers:
        parts.append(
            tr("layers") + "\n" + _differences(tr("layer"), runs, group_layers(comparison.layers))
        )
    if comparison.stages:
        parts.append(tr("stages") + "\n" + _stages(comparison.stages))
    parts.append(lines)
    return "\n\n".join(parts)


def _settings(comparison: Comparison, show_all: bool, more: str) -> tuple[list[DifferenceRow], str]:
    """Return the settings to show, and a line on those left out; "" if there are none.

    `more` shows all.
    """
    shown = [row for row in comparison.spec if show_all or _is_of_all(row)]
    if not (hidden := len(comparison.spec) - len(shown)):
        return shown, ""
    settings = plural(hidden, "setting")
    line = tr("and {settings} that not every run has: {more}", settings=settings, more=more)
    return shown, line


def _is_of_all(row: DifferenceRow) -> bool:
    """Return whether every run has the setting; the base is shown in any case."""
    return row.key == BASE_NAME or all(value is not None for value in row.values)


def result_cells(r: RunResult) -> tuple[str, ...]:
    """Return the cells of a result, for `RESULT_COLUMNS`."""
    return (
        _accuracy(r),
        format_interval(r.interval),
        _known(r.parameters),
        "-" if r.seconds is None else format_seconds(r.seconds),
        _known(r.best_epoch),
    )


def stage_cells(s: StageMetrics) -> tuple[str, ...]:
    """Return the cells of a stage: epochs, best, val, trains, optimizer."""
    return (
        f"{s.epochs}/{s.planned}",
        _known(s.best_epoch),
        _validation(s),
        _known(s.trainable_parameters),
        s.optimizer
        if s.solved
        else f"{s.optimizer} {'-' if s.learning_rate is None else f'{s.learning_rate:g}'}".strip(),
    )


def _validation(s: StageMetrics) -> str:
    """Return the accuracy on validation images, or marked that of the cross-validated head."""
    accuracy = format_accuracy(s.val_accuracy)
    return f"{accuracy} {CROSS_VALIDATION}" if s.solved and s.val_accuracy is not None else accuracy


def _results(results: list[RunResult]) -> str:
    rows = [
        (r.run + (" " + tr("(random weights)") if r.random_weights else ""), *result_cells(r))
        for r in results
    ]
    return table((tr("run"), *RESULT_COLUMNS), rows, "lrrrrr")


def measured_scores(comparison: Comparison) -> list[str]:
    """Return the names of the scores that at least one of the runs has."""
    return [name for name in SCORES if any(name in r.scores for r in comparison.results)]


def score_cells(r: RunResult, names: Sequence[str]) -> tuple[str, ...]:
    """Return value and interval of each score; a dash for one that the run does not have."""
    found = dict(zip(r.scores, format_scores(r.scores), strict=True))
    return tuple(found[name][1] if name in found else "-" for name in names)


def _scores(results: list[RunResult], names: Sequence[str]) -> str:
    rows = [(METRICS[name], *(score_cells(r, [name])[0] for r in results)) for name in names]
    return table(("", *(safe_text(r.run, VALUE_WIDTH) for r in results)), rows)


def _stages(stages: list[StageMetrics]) -> str:
    headers = (
        "",
        tr("run"),
        tr("epochs"),
        tr("best"),
        tr("val"),
        tr("trains"),
        tr("optimizer"),
        tr("what"),
    )
    rows = [(s.stage + 1, s.run, *stage_cells(s), stage_title(s.name)) for s in stages]
    whole = table(headers, rows, "llrrrrl")
    if any(s.solved and s.val_accuracy is not None for s in stages):
        whole += "\n" + tr("{mark}  by cross-validation", mark=CROSS_VALIDATION)
    return whole


def _accuracy(r: RunResult) -> str:
    """Return the accuracy; before there is one, the state of the run."""
    if r.accuracy is None:
        return shown(r.state)
    split = "" if r.split == "test" else f" ({shown(r.split or '')})"
    return format_accuracy(r.accuracy) + split


def _differences(what: str, runs: tuple[str, ...], rows: list[DifferenceRow]) -> str:
    cells = [(row.key, *map(format_value, row.values)) for row in rows]
    return table((what, *(safe_text(run, VALUE_WIDTH) for run in runs)), cells)


def group_layers(layers: list[DifferenceRow]) -> list[DifferenceRow]:
    """Return consecutive layers with the same differences as one row."""
    rows = []
    for values, group in itertools.groupby(layers, key=lambda row: row.values):
        names = [row.key for row in group]
        key = (
            names[0]
            if len(names) == 1
            else tr(
                "{name} to {name_2} ({names})", name=names[0], name_2=names[-1], names=len(names)
            )
        )
        rows.append(DifferenceRow(key, values))
    return rows


def format_value(value: Any, width: int = VALUE_WIDTH) -> str:
    """Return a value as in TOML, but text without quotes; long ones are cut, none is a dash."""
    if value is None or value == "":
        return "-"
    return safe_text(value if isinstance(value, str) else json.dumps(value, default=str), width)


def _known(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def comparison_grid(comparison: Comparison, room: int, color: str = "", more: str = "") -> Text:
    """Draw the conclusions and below them a column per run; wider than `room` cells for many runs.

    Args:
        comparison: of the runs.
        room: cells of a line.
        color: of titles.
        more: what shows the settings that not every run has.
    """
    conclusions = [
        fill_cells(safe_text(line, 600), room) for line in describe_comparison(comparison)
    ]
    text = Text("\n".join(conclusions), no_wrap=True)
    width = _column_width(len(comparison.runs), room)
    _add_row(text, "", comparison.runs, width, "bold", before="\n\n")
    for title, rows, rest in _sections(comparison, more):
        text.append(f"\n\n{title}", color)
        for row in rows:
            _add_row(text, row.key, row.values, width, "bold" if row.key == "accuracy" else "")
        text.append(f"\n{rest}" if rest else "", "dim")
    return text


def _sections(comparison: Comparison, more: str) -> list[tuple[str, list[DifferenceRow], str]]:
    """Return titles, their rows, and what is left out of them."""
    settings = tr("settings that differ") if comparison.spec else tr("the settings are the same")
    results = _result_rows(comparison.results, measured_scores(comparison))
    shown, rest = _settings(comparison, False, more)
    sections = [(tr("results"), results, ""), (settings, shown, rest)]
    if comparison.layers:
        sections.append((tr("layers not frozen alike"), group_layers(comparison.layers), ""))
    if comparison.stages:
        sections.append((tr("stages"), _stage_rows(comparison), ""))
    return sections


def _result_rows(results: list[RunResult], scores: Sequence[str]) -> list[DifferenceRow]:
    columns = zip(*map(result_cells, results), strict=True)
    rows = [DifferenceRow(name, cells) for name, cells in zip(RESULT_COLUMNS, columns, strict=True)]
    columns = zip(*(score_cells(r, scores) for r in results), strict=True)
    rows[2:2] = [
        DifferenceRow(METRICS[name], cells) for name, cells in zip(scores, columns, strict=True)
    ]
    if any(r.random_weights for r in results):
        noted = tuple(tr("random weights") if r.random_weights else None for r in results)
        rows.append(DifferenceRow(tr("base"), noted))
    return rows


def _stage_rows(comparison: Comparison) -> list[DifferenceRow]:
    rows = []
    for stage in dict.fromkeys(one.stage for one in comparison.stages):
        by_run = {s.run: s for s in comparison.stages if s.stage == stage}
        found = [by_run.get(run) for run in comparison.runs]
        names = tuple(stage_title(s.name) if s else None for s in found)
        columns = zip(*map(_cells_of_stage, found), strict=True)
        rows.append(DifferenceRow(tr("stage {stage}", stage=stage + 1), names))
        rows += [
            DifferenceRow(f"  {n}", cells) for n, cells in zip(STAGE_COLUMNS, columns, strict=True)
        ]
    return rows


def _cells_of_stage(stage: StageMetrics | None) -> tuple[str | None, ...]:
    return stage_cells(stage) if stage else (None,) * len(STAGE_COLUMNS)


def _column_width(runs: int, room: int) -> int:
    return min(max((room - MOST_KEY) // runs - GAP, LEAST_COLUMN), MOST_COLUMN)


def _add_row(
    text: Text, key: str, values: Sequence[object], width: int, style: str, before: str = "\n"
) -> None:
    text.append(before + pad_cells(cut_cells(safe_text(key, MOST_KEY), MOST_KEY), MOST_KEY), "dim")
    cells = [" " * GAP + pad_cells(format_value(value, width), width) for value in values]
    text.append("".join(cells).rstrip(), style)
