"""`workbench errors`: where a finished run errs, how sure it is, and what a threshold does."""

import json
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.group import in_workspace
from workbench.cli.runs import json_option, latest_argument
from workbench.cli.show import confused_table, say, table
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.text import safe_text

if TYPE_CHECKING:
    from workbench.analysis.calibration import Bin, Calibration
    from workbench.analysis.errors import Answers
    from workbench.analysis.thresholds import Ranking
    from workbench.runs.folder import RunFolder
    from workbench.runs.results import Results

MOST = 20  # images by loss; and so many pairs
BAR = 30  # cells of the longest bar
PLOT = (60, 14)  # cells


@click.command()
@latest_argument
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="T",
    help="Two labels: call it the second from this probability on.",
)
@json_option
@in_workspace
def errors(workspace: Workspace, run: str, threshold: float | None, as_json: bool) -> None:
    """Show where a finished run errs: largest losses, confusions, confidence, thresholds.

    Of the images that it was evaluated on. With two labels, the second one is the positive one.
    What is mislabelled can be set right: see `workbench correct`.
    """
    from workbench.analysis.errors import read_answers
    from workbench.analysis.thresholds import two_labels
    from workbench.runs.folder import find_run
    from workbench.runs.results import read_results

    folder = find_run(workspace, run)
    results, answers = read_results(folder.results_path), read_answers(folder.predictions_path)
    if len(answers.paths) != results.images:
        raise UserError(
            f"results.json tells of {results.images:,} images and predictions.csv of "
            f"{len(answers.paths):,}: they do not belong together."
        )
    if threshold is not None and not two_labels(answers):
        raise UserError("--threshold needs a run of two labels, and evaluated images of both.")
    if as_json:
        click.echo(json.dumps(_plain(results, answers, threshold), indent=1))
        return
    say(_report(workspace, folder, results, answers))
    if two_labels(answers):
        _tell_thresholds(answers, threshold)


def _plain(results: "Results", answers: "Answers", threshold: float | None) -> dict[str, Any]:
    from workbench.analysis.calibration import calibration
    from workbench.analysis.errors import confused_pairs, top_losses
    from workbench.analysis.thresholds import THRESHOLDS, at_threshold, ranking, two_labels

    told: dict[str, Any] = {
        "split": results.split,
        "images": results.images,
        "top_losses": [asdict(one) for one in top_losses(answers, MOST)],
        "confused": [asdict(one) for one in confused_pairs(answers, MOST)],
        "calibration": asdict(calibration(answers)),
    }
    if two_labels(answers):
        chosen = THRESHOLDS if threshold is None else (threshold,)
        told["positive"] = answers.names[1]
        told["ranking"] = asdict(ranking(answers))
        told["thresholds"] = [asdict(at_threshold(answers, one)) for one in chosen]
    return told


def _report(
    workspace: Workspace, folder: "RunFolder", results: "Results", answers: "Answers"
) -> str:
    from workbench.analysis.calibration import bin_words, calibration, calibration_words
    from workbench.runs.results import cautions

    found = calibration(answers)
    head = f"{folder.name}: {results.images:,} {results.split} images, "
    return "\n".join(
        [
            head + f"accuracy {results.accuracy:.4f}",
            *cautions(results),
            "",
            *_losses(answers, _said(workspace, folder)),
            *_pairs(answers),
            f"confidence: # right, x wrong, {answers.right.size:,} images",
            *_histogram(found),
            calibration_words(found, answers.right.size),
            bin_words(found, answers.right.size),
        ]
    )


def _said(workspace: Workspace, folder: "RunFolder") -> dict[str, str]:
    """What was corrected already; nothing where that cannot be told."""
    from workbench.app.relabel import Marking

    try:
        return Marking(workspace, folder).said()
    except UserError:  # images from elsewhere, or a damaged file, which `correct` tells
        return {}


def _losses(answers: "Answers", said: dict[str, str]) -> list[str]:
    from workbench.analysis.errors import LARGEST_LOSS, top_losses

    rows = []
    for one in top_losses(answers, MOST):
        loss = f"{'>' if one.loss >= LARGEST_LOSS else ''}{one.loss:.2f}"
        mark = [(said[one.path] or "left out") if one.path in said else ""] if said else []
        rows.append((loss, one.label, one.predicted, f"{one.certainty:.3f}", *mark, one.path))
    marks = ["corrected"] if said else []
    headers = ("loss", "label", "predicted", "sure", *marks, "file")
    return ["largest losses", table(headers, rows, "rllr"), ""]


def _pairs(answers: "Answers") -> list[str]:
    from workbench.analysis.errors import confused_pairs

    pairs = confused_pairs(answers, MOST)
    if not pairs:
        return ["Not one image was wrong.", ""]
    return ["most confused", confused_table(pairs), ""]


def _histogram(found: "Calibration") -> list[str]:
    most = max(one.right + one.wrong for one in found.bins)
    rows = [
        (
            f"{one.low:.1f} to {one.high:.1f}",
            f"{one.right:,}",
            f"{one.wrong:,}",
            "-" if one.accuracy is None else f"{one.accuracy:.3f}",
            _bar(one, most),
        )
        for one in found.bins
    ]
    return [table(("confidence", "right", "wrong", "accuracy", ""), rows, "rrrr")]


def _bar(one: "Bin", most: int) -> str:
    """At least one cell for what there is."""
    parts = ((one.right, "#"), (one.wrong, "x"))
    return "".join(mark * max(round(BAR * n / most), bool(n)) for n, mark in parts)


def _tell_thresholds(answers: "Answers", threshold: float | None) -> None:
    from workbench.analysis.thresholds import THRESHOLDS, at_threshold, consequence, ranking

    found = ranking(answers)
    positive = safe_text(answers.names[1], 60)
    say(
        f"\nthresholds: the positive label is {positive}; area below the ROC curve "
        f"{found.area:.4f}, average precision {found.average_precision:.4f}"
    )
    _draw(found)
    rows = []
    for one in sorted({*THRESHOLDS, *([] if threshold is None else [threshold])}):
        at = at_threshold(answers, one)
        precision = "-" if at.precision is None else f"{at.precision:.3f}"
        figures = (f"{at.recall:.3f}", f"{at.false_alarms:,}", f"{at.misses:,}")
        rows.append((f"{one:g}", precision, *figures))
    headers = ("threshold", "precision", "recall", "false alarms", "misses")
    say(table(headers, rows, "rrrrr"))
    say(consequence(answers, at_threshold(answers, 0.5 if threshold is None else threshold)))
    say("A threshold chosen on these images looks better here than on new ones.")


def _draw(found: "Ranking") -> None:
    """Hits over false alarms and precision over recall, on a terminal that somebody looks at."""
    if not sys.stdout.isatty():
        return
    from rich.console import Console

    from workbench.machine.terminal import look_at_terminal
    from workbench.render.calibration import curves
    from workbench.render.plot import plot

    terminal = look_at_terminal(os.environ, sys.stdout)
    width, height = min(PLOT[0], terminal.columns), PLOT[1]
    console = Console(highlight=False, width=width)
    for curve in curves(found, terminal.utf8):
        console.print(curve.title)
        console.print(plot(curve.series, width, height, curve.options))
        console.print()
