"""Printing: progress bars, tables, figures. Whatever comes from outside is made safe here."""

import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from workbench.progress import Progress
from workbench.text import accuracy, safe_lines, safe_text, table

if TYPE_CHECKING:
    from workbench.runs.confusion import Confused
    from workbench.runs.results import Results

WORST = 20  # labels, and pairs of labels, that are told of many


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A Progress that draws one bar a phase on a terminal, and else prints lines."""
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


def say(text: str, err: bool = False) -> None:
    """Prints lines whose strings may come from outside."""
    click.echo(safe_lines(text), err=err)


def _plain_progress() -> Progress:
    """A line at the end of each phase that took a second or more."""
    began: dict[str, float] = {}

    def show(phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        if total and done == total and now - began.pop(phase, now) >= 1:
            say(f"{phase}: {done:,} of {total:,}", err=True)
        elif done != total:
            began.setdefault(phase, now)

    return show


def evaluation_report(figures: dict[str, Any], folder: str = "") -> str:
    """Figures of an evaluation for people: accuracy, labels, confusions, worst errors.

    Of many labels it tells the worst, and where the whole is: it is as short for any number.

    Args:
        folder: of the run, to name a file in it.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: a figure is missing or of another kind.
    """
    from workbench.runs.results import cautions, parse_results

    results = parse_results(figures)
    low, high = figures["interval"]
    lines = [
        f"{figures['split']} accuracy {figures['accuracy']:.4f} "
        f"({low:.4f} to {high:.4f} with 95 % confidence), loss {figures['loss']:.4f}, "
        f"{figures['images']:,} images"
    ]
    lines += cautions(results)
    if shifted := figures.get("shifted"):
        lines.append(
            f"accuracy with images shifted by {shifted['pixels']} pixels {shifted['accuracy']:.4f}"
        )
    lines += ["", *_labels(results), "", *_confusion(results, folder)]
    if figures["worst"]:
        worst = [
            (w["label"], w["predicted"], f"{math.exp(-w['loss']):.3f}", w["path"])
            for w in figures["worst"][:10]
        ]
        lines += ["", "worst errors, by the probability that was given to the true label"]
        lines.append(table(("label", "predicted", "p(label)", "file"), worst, "llr"))
    return "\n".join(lines)


def confused_table(pairs: "Sequence[Confused]") -> str:
    """Pairs of labels that were confused, and how often."""
    rows = [(one.label, one.predicted, f"{one.count:,}", f"{one.share:.1%}") for one in pairs]
    return table(("label", "predicted", "images", "of the label"), rows, "llrr")


def _labels(results: "Results") -> list[str]:
    """Every label, or the worst of many."""
    from workbench.runs.confusion import MATRIX_LABELS, worst_classes

    classes, lines = list(results.classes), []
    if len(classes) > MATRIX_LABELS:
        lines = [f"the {WORST} labels of {len(classes):,} with the lowest recall (--json has all)"]
        classes = worst_classes(classes, WORST)
    rows = [
        (one.label, one.images, accuracy(one.precision), accuracy(one.recall)) for one in classes
    ]
    return [*lines, table(("label", "images", "precision", "recall"), rows, "lrrr")]


def _confusion(results: "Results", folder: str) -> list[str]:
    """The matrix of few labels, of many the pairs confused most and where the matrix is."""
    found = results.confusion
    if found.matrix:
        labels = [safe_text(label, 12) for label in results.labels]
        rows = [
            (label, *(f"{n:,}" for n in row))
            for label, row in zip(labels, found.matrix, strict=True)
        ]
        return [
            "confusion: true label in rows, predicted in columns",
            table(("", *labels), rows, "l" + "r" * len(labels)),
        ]
    if not found.pairs:
        return ["Not one image was wrong."]
    lines = ["most confused", confused_table(found.pairs[:WORST])]
    if found.file:
        place = f"{folder}/{found.file}" if folder else found.file
        lines.append(f"the whole matrix: {safe_text(place, 1000)}")
    return lines
