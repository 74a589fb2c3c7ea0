"""Printing: progress of jobs, JSON, reports. Text from outside is made safe here."""

import json
import math
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import click

from workbench.messages import tr
from workbench.progress import Progress
from workbench.text import (
    cell_width,
    format_accuracy,
    percent,
    safe_lines,
    safe_text,
    table,
    wrap_cells,
)
from workbench.words import shown

if TYPE_CHECKING:
    from workbench.app.jobs import JobEvent
    from workbench.machine.host_facts import Terminal
    from workbench.runs.confusion import ConfusedPair
    from workbench.runs.results import Results

_LABELLED = re.compile(r"(\s*\S+\s{2,}|\s+|)(.*)")
LEAST_WIDTH = 40  # cells of a terminal that lines are fitted to
WORST = 20  # labels, and pairs of labels, that are shown of many


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Yield a Progress that draws a bar per phase on a terminal, and prints lines elsewhere."""
    if not sys.stderr.isatty():
        yield _plain_progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    with Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True, highlight=False),
        transient=True,
    ) as bars:
        tasks: dict[str, Any] = {}

        def show(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(safe_text(phase, 40))
            bars.update(tasks[phase], completed=done, total=total or None)

        yield show


def echo(text: str, err: bool = False) -> None:
    """Print lines whose strings may come from outside; on a terminal prose fits its width."""
    click.echo(fit_terminal(safe_lines(text), sys.stderr if err else sys.stdout), err=err)


def fit_terminal(text: str, stream: TextIO | None) -> str:
    """Return a text whose prose fits the terminal; for files and pipes it stays as it is."""
    if stream is None or not stream.isatty():
        return text
    width = max(shutil.get_terminal_size().columns, LEAST_WIDTH)
    return "\n".join(part for line in text.split("\n") for part in fit_line(line, width))


def fit_line(line: str, width: int) -> list[str]:
    """Return a line of prose in lines of so many cells, none of its words cut.

    Columns, which have several blanks between them, and commands to be pasted stay as they are; of
    a label with a sentence behind it the other lines begin below the sentence.
    """
    found = _LABELLED.fullmatch(line)
    label, text = found.groups() if found else ("", line)
    if cell_width(line) <= width or "  " in text.rstrip() or "workbench " in text or not text:
        return [line]
    indent = " " * cell_width(label)
    return wrap_cells(
        text, width, initial_indent=label, subsequent_indent=indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def terminal_table(
    headers: Sequence[str], rows: Sequence[Sequence[object]], right: str, dropped: Sequence[str]
) -> str:
    """Return a table, as `text.table`; on a narrow terminal without the columns it can miss.

    Args:
        headers: Of the columns.
        rows: Their cells.
        right: Alignment of each column, see `text.table`.
        dropped: Headers of the columns that are left out where there is no room, the first first.
    """
    shown = table(headers, rows, right)
    width = shutil.get_terminal_size().columns
    for name in dropped if sys.stdout.isatty() else ():
        if max(map(cell_width, shown.split("\n"))) <= width or name not in headers:
            continue
        at = list(headers).index(name)
        headers = [*headers[:at], *headers[at + 1 :]]
        rows = [[*row[:at], *row[at + 1 :]] for row in rows]
        right = right[:at] + right[at + 1 :]
        shown = table(headers, rows, right)
    return shown


def echo_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=1))


def terminal() -> "Terminal":
    """Return what the terminal can show."""
    from workbench.machine.terminal import inspect_terminal

    return inspect_terminal(os.environ, sys.stdout)


def _plain_progress() -> Progress:
    """Return a Progress that prints a line after each phase of a second or more."""
    began: dict[str, float] = {}

    def show(phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        if total and done == total and now - began.pop(phase, now) >= 1:
            echo(
                tr("{phase}: {done:,} of {total:,}", phase=phase, done=done, total=total), err=True
            )
        elif done != total:
            began.setdefault(phase, now)

    return show


def print_notice(event: "JobEvent") -> None:
    """Print a worker's notice; other events print nothing."""
    if event["event"] == "notice":
        echo(str(event["message"]), err=True)


def run_job(job: str, request: dict[str, Any]) -> dict[str, Any]:
    """Let a worker do a job, and show its progress.

    Raises:
        UserError: the job failed.
    """
    from workbench.app import jobs

    with progress_bar() as progress:
        return jobs.run_job(job, request, jobs.report_progress(progress))


@contextmanager
def worker_events(
    on_event: "Callable[[JobEvent], None]" = lambda event: None,
) -> "Iterator[Callable[[JobEvent], None]]":
    """Yield a handler that shows a worker's progress and notices; `on_event` gets other events."""
    from workbench.app.jobs import report_progress

    def handle(event: "JobEvent") -> None:
        if event["event"] == "notice":
            echo(tr("note   {message}", message=event["message"]), err=True)
        else:
            on_event(event)

    with progress_bar() as progress:
        yield report_progress(progress, handle)


def evaluation_report(metrics: dict[str, Any], folder: str = "") -> str:
    """Format the metrics of an evaluation: accuracy, labels, confusions, worst errors.

    Of many labels only the worst are shown, so the report is short for any number. A file in the
    run's `folder` is named by its path.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: a metric is missing or of another type.
    """
    from workbench.runs.results import MIRRORED, caveats, parse_results
    from workbench.runs.score import format_scores

    results = parse_results(metrics)
    low, high = metrics["interval"]
    lines = [
        tr(
            "{split} accuracy {accuracy:.4f} ({low:.4f} to {high:.4f} with 95 % "
            "confidence), loss {loss:.4f}, {images:,} images",
            split=shown(metrics["split"]),
            accuracy=metrics["accuracy"],
            low=low,
            high=high,
            loss=metrics["loss"],
            images=metrics["images"],
        )
    ]
    lines += [f"{title} {score}" for title, score in format_scores(results.scores)]
    if results.mirrored:
        lines.append(MIRRORED)
    lines += caveats(results)
    if shifted := metrics.get("shifted"):
        lines.append(
            tr(
                "accuracy with images shifted by {pixels} pixels {accuracy:.4f}",
                pixels=shifted["pixels"],
                accuracy=shifted["accuracy"],
            )
        )
    lines += ["", *_labels(results), "", *_confusion(results, folder)]
    if metrics["worst"]:
        worst = [
            (w["label"], w["predicted"], f"{math.exp(-w['loss']):.3f}", w["path"])
            for w in metrics["worst"][:10]
        ]
        title = tr("worst errors, by the probability of the true label")
        if results.wrong > len(worst):
            title = tr(
                "the worst {shown} of {wrong:,} errors, by the probability of the true label",
                shown=len(worst),
                wrong=results.wrong,
            )
        lines += ["", title]
        lines.append(
            table((tr("label"), tr("predicted"), tr("p(label)"), tr("file")), worst, "llr")
        )
    return "\n".join(lines)


def confused_table(pairs: "Sequence[ConfusedPair]") -> str:
    """Format pairs of labels that were confused."""
    rows = [(one.label, one.predicted, f"{one.count:,}", percent(one.share, 1)) for one in pairs]
    return table((tr("label"), tr("predicted"), tr("images"), tr("of the label")), rows, "llrr")


def _labels(results: "Results") -> list[str]:
    """Format every label, or the worst of many."""
    from workbench.runs.confusion import MAX_MATRIX_LABELS, worst_classes

    classes, lines = list(results.classes), []
    if len(classes) > MAX_MATRIX_LABELS:
        lines = [
            tr(
                "the {worst} labels of {classes:,} with the lowest recall (--json has all)",
                worst=WORST,
                classes=len(classes),
            )
        ]
        classes = worst_classes(classes, WORST)
    rows = [
        (one.label, one.images, format_accuracy(one.precision), format_accuracy(one.recall))
        for one in classes
    ]
    return [*lines, table((tr("label"), tr("images"), tr("precision"), tr("recall")), rows, "lrrr")]


def _confusion(results: "Results", folder: str) -> list[str]:
    """Format the matrix of few labels, or the most confused pairs and the matrix file of many."""
    found = results.confusion
    if found.matrix:
        labels = [safe_text(label, 12) for label in results.labels]
        rows = [
            (label, *(f"{n:,}" for n in row))
            for label, row in zip(labels, found.matrix, strict=True)
        ]
        return [
            tr("confusion: true label in rows, predicted in columns"),
            table(("", *labels), rows, "l" + "r" * len(labels)),
        ]
    if not found.pairs:
        return [tr("No image was wrong.")]
    lines = [tr("most confused"), confused_table(found.pairs[:WORST])]
    if found.file:
        place = f"{folder}/{found.file}" if folder else found.file
        lines.append(tr("the whole matrix: {place}", place=safe_text(place, 1000)))
    return lines
