"""Printing: progress bars, tables, figures. Whatever comes from outside is made safe here."""

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from workbench.progress import Progress
from workbench.text import accuracy, safe_lines, safe_text, table


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


def evaluation_report(figures: dict[str, Any]) -> str:
    """Figures of an evaluation for people: accuracy, labels, confusions, worst errors.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: a figure is missing or of another kind.
    """
    from workbench.runs.verdicts import cautions, parse_results

    low, high = figures["interval"]
    lines = [
        f"{figures['split']} accuracy {figures['accuracy']:.4f} "
        f"({low:.4f} to {high:.4f} with 95 % confidence), loss {figures['loss']:.4f}, "
        f"{figures['images']:,} images"
    ]
    lines += cautions(parse_results(figures))
    if shifted := figures.get("shifted"):
        lines.append(
            f"accuracy with images shifted by {shifted['pixels']} pixels {shifted['accuracy']:.4f}"
        )
    classes = [
        (c["label"], c["images"], accuracy(c["precision"]), accuracy(c["recall"]))
        for c in figures["classes"]
    ]
    lines += ["", table(("label", "images", "precision", "recall"), classes, "lrrr")]
    lines += ["", "confusion: true label in rows, predicted in columns", _confusion(figures)]
    if figures["worst"]:
        worst = [
            (w["label"], w["predicted"], f"{math.exp(-w['loss']):.3f}", w["path"])
            for w in figures["worst"][:10]
        ]
        lines += ["", "worst errors, by the probability that was given to the true label"]
        lines.append(table(("label", "predicted", "p(label)", "file"), worst, "llr"))
    return "\n".join(lines)


def _confusion(figures: dict[str, Any]) -> str:
    labels = [safe_text(label, 12) for label in figures["labels"]]
    rows = [
        (label, *(f"{n:,}" for n in row))
        for label, row in zip(labels, figures["confusion"], strict=True)
    ]
    return table(("", *labels), rows, "l" + "r" * len(labels))
