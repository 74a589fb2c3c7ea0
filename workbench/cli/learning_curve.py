"""What `workbench analyze RUN --learning-curve` prints: would more images help, and of what."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from workbench.cli.output import echo, echo_json, print_notice, progress_bar, terminal
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import safe_text

if TYPE_CHECKING:
    from workbench.analysis.learning_curve import CurveReport
    from workbench.runs.folder import RunFolder

PLOT = (72, 14)  # cells


def show_curve(workspace: Workspace, folder: "RunFolder", as_json: bool) -> None:
    """Measure the learning curve of a run, and print it.

    Raises:
        UserError: as `measure_curve`.
    """
    from workbench.app.learning_curve import measure_curve

    with progress_bar() as progress:
        report = measure_curve(workspace, folder, progress, print_notice)
    if as_json:
        echo_json(_values(report))
        return
    from workbench.render.learning_curve import curve_table, describe_curve, describe_worths

    measured_on, *sentences = describe_curve(report)
    echo(
        tr("{run}: accuracy by training images of a class", run=safe_text(folder.name))
        + f"\n{measured_on}\n\n{curve_table(report)}\n"
    )
    _draw(report)
    echo("\n".join([*sentences, *describe_worths(report)]))


def _values(report: "CurveReport") -> dict[str, Any]:
    last, ahead = report.last, report.ahead
    return {
        "images": report.images,
        "used": report.used,
        "base": report.base,
        "random_weights": report.random_weights,
        "own_base": report.own_base,
        "seconds": report.seconds,
        "points": [asdict(one) for one in report.curve.points],
        "ahead": [
            {**asdict(one), "gain": asdict(report.curve.gain(last.images, one.images))}
            for one in ahead
        ],
        "classes": [{**asdict(one), "worth_it": one.is_worth_it} for one in report.worths],
    }


def _draw(report: "CurveReport") -> None:
    """Draw the curve, on a terminal only."""
    if not sys.stdout.isatty():
        return
    from rich.console import Console

    from workbench.render.learning_curve import curve_plot
    from workbench.render.plot import plot

    shown = terminal()
    width, height = min(PLOT[0], shown.columns), PLOT[1]
    series, options = curve_plot(report, shown.utf8)
    console = Console(highlight=False, width=width)
    console.print(plot(series, width, height, options))
    console.print()
