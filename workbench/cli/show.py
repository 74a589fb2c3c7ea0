"""Printing: progress bars, tables, figures. Whatever comes from outside is made safe here."""

import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from workbench.progress import Progress
from workbench.text import safe_lines, safe_text


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


def table(headers: Sequence[str], rows: Sequence[Sequence[object]], right: str = "") -> str:
    """Columns with two spaces between; a column whose letter in `right` is "r" leans right.

    Args:
        right: one letter a column, "l" or "r"; what is missing is "l".
    """
    cells = [[safe_text(cell) for cell in row] for row in (headers, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    sides = right.ljust(len(widths), "l")
    lines = []
    for row in cells:
        parts = [
            cell.rjust(width) if side == "r" else cell.ljust(width)
            for cell, width, side in zip(row, widths, sides, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def accuracy(value: float | None) -> str:
    """An accuracy as a share of 1 with four digits."""
    return "-" if value is None else f"{value:.4f}"


def evaluation_report(figures: dict[str, Any]) -> str:
    """Figures of an evaluation for people: accuracy, labels, confusions, worst errors."""
    low, high = figures["interval"]
    lines = [
        f"{figures['split']} accuracy {figures['accuracy']:.4f} "
        f"({low:.4f} to {high:.4f} with 95 % confidence), loss {figures['loss']:.4f}, "
        f"{figures['images']:,} images"
    ]
    if figures.get("weights") == "random":
        lines.append("The base had random weights, as asked for.")
    if figures["split"] == "validation":
        lines.append("These images chose the best epoch, so expect a little less on new ones.")
    if leaked := figures.get("leaked"):
        lines.append(
            f"Mind: {leaked:,} of these images are training images too, so this is too good."
        )
    if guess := _guessing(figures):
        lines.append(guess)
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


def _guessing(figures: dict[str, Any]) -> str:
    """Said where always naming the most frequent label would do as well, within chance."""
    counts = {c["label"]: c["images"] for c in figures["classes"]}
    label = max(counts, key=counts.__getitem__)
    share = counts[label] / figures["images"]
    if figures["interval"][0] > share:
        return ""
    return f"Not beyond guessing: always saying {safe_text(label)} would be right for {share:.4f}."


def _confusion(figures: dict[str, Any]) -> str:
    labels = [safe_text(label, 12) for label in figures["labels"]]
    rows = [
        (label, *(f"{n:,}" for n in row))
        for label, row in zip(labels, figures["confusion"], strict=True)
    ]
    return table(("", *labels), rows, "l" + "r" * len(labels))
