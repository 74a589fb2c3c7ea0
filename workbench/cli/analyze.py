"""`workbench analyze`: errors, calibration, thresholds; `workbench relabel`: fix wrong labels."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.group import command_line, in_workspace
from workbench.cli.options import examples, json_option, latest_argument, run_argument
from workbench.cli.output import confused_table, echo, echo_json, terminal
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import plural, safe_text, table
from workbench.words import shown

if TYPE_CHECKING:
    from workbench.analysis.calibration import Bin, Calibration
    from workbench.analysis.errors import PredictionTable
    from workbench.analysis.thresholds import Ranking
    from workbench.runs.folder import RunFolder
    from workbench.runs.results import Results

MOST = 20  # images by loss, and pairs
BAR = 30  # cells of the longest bar
PLOT = (60, 14)  # cells


@click.command()
@latest_argument
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="T",
    help="Two labels: predict the second from this probability on.",
)
@click.option(
    "--folds",
    type=click.IntRange(2, 20),
    metavar="N",
    help="Question the labels of all images instead: predict each by classifiers on features, "
    "fitted without it in N folds.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 20),
    metavar="N",
    help="With --folds: how often, in other random orders. Default: 5.",
)
@click.option(
    "--learning-curve",
    "curve",
    is_flag=True,
    help="Would more images help, and of which class? Measure accuracy over training images, by "
    "classifiers on features.",
)
@json_option
@in_workspace
def analyze(
    workspace: Workspace,
    run: str,
    threshold: float | None,
    folds: int | None,
    repeats: int | None,
    curve: bool,
    as_json: bool,
) -> None:
    """Analyze the errors of a finished run: largest losses, confusions, calibration, thresholds.

    On the images that it was evaluated on; with --folds on all of them, and the labels that are
    probably wrong; with --learning-curve what more images would bring. With two labels, the second
    one is the positive one. Wrong labels can be fixed: see `workbench relabel`.
    """
    from workbench.analysis.errors import read_predictions
    from workbench.analysis.thresholds import is_binary
    from workbench.runs.folder import find_run
    from workbench.runs.results import read_results

    if repeats is not None and folds is None:
        raise UserError(tr("--repeats needs --folds."), tr("Such as: --folds 5 --repeats 5"))
    folder = find_run(workspace, run)
    if curve:
        from workbench.cli.learning_curve import show_curve

        if threshold is not None or folds is not None:
            raise UserError(tr("--learning-curve excludes --threshold and --folds."))
        show_curve(workspace, folder, as_json)
        return
    if folds is not None:
        from workbench.app.label_suspects import REPEATS
        from workbench.cli.label_suspects import show_suspects

        if threshold is not None:
            raise UserError(tr("--threshold and --folds exclude each other."))
        show_suspects(workspace, folder, folds, repeats or REPEATS, as_json)
        return
    results = read_results(folder.results_path)
    predictions = read_predictions(folder.predictions_path)
    if len(predictions.paths) != results.images:
        raise UserError(
            tr(
                "results.json has {images:,} images and predictions.csv "
                "{paths_count:,}: they are not of the same run.",
                images=results.images,
                paths_count=len(predictions.paths),
            )
        )
    if threshold is not None and not is_binary(predictions):
        raise UserError(tr("--threshold needs a run of two labels, and evaluated images of both."))
    if as_json:
        echo_json(_values(results, predictions, threshold))
        return
    echo(_report(workspace, folder, results, predictions))
    if is_binary(predictions):
        _show_thresholds(predictions, threshold)


def _values(
    results: "Results", predictions: "PredictionTable", threshold: float | None
) -> dict[str, Any]:
    from workbench.analysis.calibration import calibration
    from workbench.analysis.errors import confused_pairs, top_losses
    from workbench.analysis.thresholds import THRESHOLDS, is_binary, ranking, threshold_metrics

    values: dict[str, Any] = {
        "split": results.split,
        "images": results.images,
        "top_losses": [asdict(one) for one in top_losses(predictions, MOST)],
        "confused": [asdict(one) for one in confused_pairs(predictions, MOST)],
        "calibration": asdict(calibration(predictions)),
    }
    if is_binary(predictions):
        chosen = THRESHOLDS if threshold is None else (threshold,)
        values["positive"] = predictions.names[1]
        values["ranking"] = asdict(ranking(predictions))
        values["thresholds"] = [asdict(threshold_metrics(predictions, one)) for one in chosen]
    return values


def _report(
    workspace: Workspace, folder: "RunFolder", results: "Results", predictions: "PredictionTable"
) -> str:
    from workbench.analysis.calibration import calibration, describe_bins, describe_calibration
    from workbench.runs.results import caveats

    found = calibration(predictions)
    head = (
        tr(
            "{folder}: {images:,} {split} images,",
            folder=folder.name,
            images=results.images,
            split=shown(results.split),
        )
        + " "
    )
    return "\n".join(
        [
            head + tr("accuracy {accuracy:.4f}", accuracy=results.accuracy),
            *caveats(results),
            "",
            *_losses(predictions, _fixes(workspace, folder)),
            *_pairs(predictions),
            tr("confidence: # right, x wrong, {size:,} images", size=predictions.right.size),
            *_histogram(found),
            describe_calibration(found, predictions.right.size),
            describe_bins(found, predictions.right.size),
        ]
    )


def _fixes(workspace: Workspace, folder: "RunFolder") -> dict[str, str]:
    """Return the new labels of fixed images; nothing if they cannot be read."""
    from workbench.app.relabel import Relabeling

    try:
        return Relabeling(workspace, folder).new_labels()
    except UserError:  # images from elsewhere, or a damaged file, which `relabel` reports
        return {}


def _losses(predictions: "PredictionTable", fixes: dict[str, str]) -> list[str]:
    from workbench.analysis.errors import LARGEST_LOSS, top_losses

    rows = []
    for one in top_losses(predictions, MOST):
        loss = f"{'>' if one.loss >= LARGEST_LOSS else ''}{one.loss:.2f}"
        mark = [(fixes[one.path] or tr("excluded")) if one.path in fixes else ""] if fixes else []
        rows.append((loss, one.label, one.predicted, f"{one.certainty:.3f}", *mark, one.path))
    marks = [tr("new label")] if fixes else []
    headers = (tr("loss"), tr("label"), tr("predicted"), tr("confidence"), *marks, tr("file"))
    return [tr("largest losses"), table(headers, rows, "rllr"), ""]


def _pairs(predictions: "PredictionTable") -> list[str]:
    from workbench.analysis.errors import confused_pairs

    pairs = confused_pairs(predictions, MOST)
    if not pairs:
        return [tr("No image was wrong."), ""]
    return [tr("most confused"), confused_table(pairs), ""]


def _histogram(found: "Calibration") -> list[str]:
    most = max(one.right + one.wrong for one in found.bins)
    rows = [
        (
            tr("{low:.1f} to {high:.1f}", low=one.low, high=one.high),
            f"{one.right:,}",
            f"{one.wrong:,}",
            "-" if one.accuracy is None else f"{one.accuracy:.3f}",
            _bar(one, most),
        )
        for one in found.bins
    ]
    return [table((tr("confidence"), tr("right"), tr("wrong"), tr("accuracy"), ""), rows, "rrrr")]


def _bar(one: "Bin", most: int) -> str:
    """Draw at least one cell for a count that is not 0."""
    from workbench.render.marks import stacked_bar

    return stacked_bar(((one.right, ""), (one.wrong, "")), most, BAR, utf8=False).plain


def _show_thresholds(predictions: "PredictionTable", threshold: float | None) -> None:
    from workbench.analysis.thresholds import (
        THRESHOLDS,
        describe_threshold,
        ranking,
        threshold_metrics,
    )

    found = ranking(predictions)
    positive = safe_text(predictions.names[1], 60)
    echo(
        tr(
            "\n"
            "thresholds: the positive label is {positive}; area under the ROC "
            "curve {area:.4f}, average precision {average_precision:.4f}",
            positive=positive,
            area=found.area,
            average_precision=found.average_precision,
        )
    )
    _draw(found)
    rows = []
    for one in sorted({*THRESHOLDS, *([] if threshold is None else [threshold])}):
        at = threshold_metrics(predictions, one)
        precision = "-" if at.precision is None else f"{at.precision:.3f}"
        counts = (f"{at.false_alarms:,}", f"{at.misses:,}")
        rows.append((f"{one:g}", precision, f"{at.recall:.3f}", *counts))
    headers = (tr("threshold"), tr("precision"), tr("recall"), tr("false alarms"), tr("misses"))
    echo(table(headers, rows, "rrrrr"))
    echo(
        describe_threshold(
            predictions, threshold_metrics(predictions, 0.5 if threshold is None else threshold)
        )
    )
    echo(tr("A threshold chosen on these images looks better here than on new ones."))


def _draw(found: "Ranking") -> None:
    """Draw the ROC and the precision-recall curve, on a terminal only."""
    if not sys.stdout.isatty():
        return
    from rich.console import Console

    from workbench.render.calibration import threshold_curves
    from workbench.render.plot import plot

    shown = terminal()
    width, height = min(PLOT[0], shown.columns), PLOT[1]
    console = Console(highlight=False, width=width)
    for curve in threshold_curves(found, shown.utf8):
        console.print(curve.title)
        console.print(plot(curve.series, width, height, curve.options))
        console.print()


@click.command(
    epilog=examples(
        "workbench relabel photos-1 cat/7.jpg dog/3.jpg --label dog",
        "workbench relabel photos-1 cat/blurred.jpg --exclude",
        "workbench relabel photos-1 --list",
    )
)
@run_argument
@click.argument("images", nargs=-1, metavar="IMAGE...")
@click.option("--label", metavar="L", help="The right label of the images.")
@click.option("--exclude", is_flag=True, help="Exclude the images.")
@click.option("--undo", is_flag=True, help="Remove the fixes of the images.")
@click.option("--list", "as_list", is_flag=True, help="List all fixes.")
@in_workspace
def relabel(
    workspace: Workspace,
    run: str,
    images: tuple[str, ...],
    label: str | None,
    exclude: bool,
    undo: bool,
    as_list: bool,
) -> None:
    """Give images of a run another label, or exclude them.

    The fixes are kept in data/NAME/corrections.csv by the images' pixels; the images stay as they
    are. A new run uses them: workbench train --corrected RUN. Note: if only errors of a network
    are fixed, its accuracy rises without a better network; check right predictions too.
    """
    from workbench.app.relabel import Relabeling, describe_fixes
    from workbench.runs.folder import find_run

    if sum((label is not None, exclude, undo, as_list)) != 1 or bool(images) == as_list:
        raise UserError(
            tr("Name images and one of --label L, --exclude or --undo; or only --list."),
            tr(
                "Their names: {command}", command=command_line(workspace, "analyze", safe_text(run))
            ),
        )
    if label == "":
        raise UserError(tr("--label is empty."), tr("To exclude images: --exclude"))
    relabeling = Relabeling(workspace, find_run(workspace, run))
    if undo:
        echo(tr("Removed: {fixes}.", fixes=plural(relabeling.undo(images), "fix", "fixes")))
    elif not as_list:
        rows = relabeling.find(images)
        if already := len(rows) - relabeling.relabel(rows, label or ""):
            echo(
                tr(
                    "Already labelled {label} in the data: {images}.",
                    label=safe_text(label),
                    images=plural(already, "image"),
                )
            )
    entries = relabeling.entries()
    if as_list and entries:
        echo(
            table(
                (tr("now"), tr("file")),
                [(one.label or tr("excluded"), one.path) for one in entries],
            )
        )
    echo(f"{safe_text(relabeling.path, 1000)}: {describe_fixes(entries)}.")
    if entries and not as_list:
        echo(
            tr(
                "Train on it: {command}",
                command=command_line(workspace, "train", "--corrected", run),
            )
        )
