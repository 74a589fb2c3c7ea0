"""A learning curve as a plot, a table and sentences. Strings from outside are made safe here."""

import math

from workbench.analysis.learning_curve import (
    AHEAD,
    WORTH_NOTHING,
    CurveReport,
    format_points,
)
from workbench.bases.architectures import BASES
from workbench.messages import tr
from workbench.render.canvas import Series
from workbench.render.plot import PlotOptions
from workbench.text import format_interval, plural, safe_text, table

FIT, LIMIT, MEASURED = "#5fafd7", "#808080", "#d7875f"
STEPS = 12  # points of the plot for twice as many images
MOST_LABELS = 8  # that are named in the sentence about classes of which more bring nothing


def curve_plot(report: CurveReport, utf8: bool) -> tuple[tuple[Series, ...], PlotOptions]:
    """Return the fitted curve between its limits, and the measured points; x is logarithmic."""
    points = report.curve.points
    first, last, end = points[0].images, report.last.images, report.ahead[-1].images

    def place(images: float) -> int:
        return round(STEPS * math.log2(images / first))

    along = [report.curve.at(first * 2 ** (at / STEPS)) for at in range(place(end) + 1)]
    measured: list[float | None] = [None] * len(along)
    for point in points:
        measured[place(point.images)] = point.accuracy
    series = (
        Series(tr("low"), tuple(one.low for one in along), LIMIT, marker="-"),
        Series(tr("high"), tuple(one.high for one in along), LIMIT, marker="-"),
        Series(tr("fit"), tuple(one.accuracy for one in along), FIT, tuple(measured), MEASURED),
    )
    return series, PlotOptions(
        len(along),
        ((1, f"{first:,.0f}"),),
        best=place(last) + 1,
        best_name=tr("{images:,.0f} now", images=last),
        end_name=f"{end:,.0f}",
        utf8=utf8,
    )


def curve_table(report: CurveReport) -> str:
    """Return the accuracy by images of a class: what was measured, then what the curve has."""
    names = [""] * (len(report.curve.points) - 1) + [tr("all")]
    names += [tr("{times} times", times=times) for times in AHEAD]
    rows = [
        (name, f"{one.images:,.0f}", f"{one.accuracy:.3f}", format_interval((one.low, one.high)))
        for name, one in zip(names, (*report.curve.points, *report.ahead), strict=True)
    ]
    return table(("", tr("images"), tr("accuracy"), tr("95 % interval")), rows, "lrrr")


def describe_curve(report: CurveReport) -> list[str]:
    """Return sentences: what was measured on, and what more images of all classes would bring."""
    base = BASES[report.base].title if report.base in BASES else safe_text(report.base)
    used = plural(report.images, "image")
    if report.used < report.images:
        used = tr("{used:,} of {images}", used=report.used, images=used)
    lines = [
        tr(
            "Linear classifiers on features of {base}; {used}, a fifth of them left out each time "
            "to test.",
            base=base,
            used=used,
        )
    ]
    if report.random_weights:
        lines.append(tr("The base has random weights: its features say little about labels."))
    now = report.last.images
    first, *others = [_describe_gain(report, times * now) for times in AHEAD]
    gains = tr("Twice as many images of every class: {gain}.", gain=first)
    for times, gain in zip(AHEAD[1:], others, strict=True):
        gains += " " + tr("{times} times as many: {gain}.", times=times, gain=gain)
    return [*lines, gains]


def _describe_gain(report: CurveReport, images: float) -> str:
    gain = report.curve.gain(report.last.images, images)
    if gain.low <= 0 or gain.accuracy < WORTH_NOTHING:
        return tr("nothing that shows")
    return tr(
        "about {points} ({low} to {high})",
        points=format_points(gain.accuracy),
        low=f"{100 * gain.low:.1f}",
        high=f"{100 * gain.high:.1f}",
    )


def describe_worths(report: CurveReport) -> list[str]:
    """Return what more images of each class would bring; one line for those that bring nothing."""
    lines = [worth.describe() for worth in report.worths if worth.is_worth_it]
    others = [worth for worth in report.worths if not worth.is_worth_it]
    if len(others) == 1:
        lines.append(others[0].describe())
    elif others:
        named = ", ".join(safe_text(worth.label, 30) for worth in others[:MOST_LABELS])
        if len(others) > MOST_LABELS:
            named = tr("{named} and {more} others", named=named, more=len(others) - MOST_LABELS)
        more = plural(others[0].more, "more image", "more images")
        lines.append(tr("{more} of any of {named}: nothing that shows", more=more, named=named))
    if 0 < len(report.worths) < report.classes:
        lines.append(
            tr(
                "Measured one by one: {some} of {classes:,} classes.",
                some=len(report.worths),
                classes=report.classes,
            )
        )
    return lines
