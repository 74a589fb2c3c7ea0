"""Calibration of a run and effects of a threshold, as bars, curves and text. Pure."""

from dataclasses import dataclass

from rich.text import Text

from workbench.analysis.calibration import (
    Calibration,
    calibration,
    describe_bins,
    describe_calibration,
)
from workbench.analysis.errors import PredictionTable
from workbench.analysis.thresholds import (
    POINTS,
    Ranking,
    ThresholdMetrics,
    describe_threshold,
    is_binary,
    ranking,
    threshold_metrics,
)
from workbench.messages import tr
from workbench.render.canvas import Series
from workbench.render.marks import stacked_bar
from workbench.render.plot import PlotOptions
from workbench.text import pad_cells, safe_text

RIGHT, WRONG, CHANCE, CURVE = "#5faf5f", "#d75f5f", "#808080", "#5fafd7"
LONGEST_BAR = 40  # cells
_NUMBERS = 44  # cells of a bin's numbers, before its bar
DEFAULT_THRESHOLD = 0.5
THRESHOLD_STEP = 5  # per cent from one threshold to the next


@dataclass(frozen=True)
class CalibrationReport:
    """Analysis of a run's probabilities.

    Attributes:
        predictions: of the evaluated images.
        calibration: by confidence.
        ranking: None for more than two labels, or if only one of them occurs.
    """

    predictions: PredictionTable
    calibration: Calibration
    ranking: Ranking | None


@dataclass(frozen=True)
class ThresholdCurve:
    """The content of a plot of one of the two curves."""

    title: str
    series: tuple[Series, ...]
    options: PlotOptions


def calibration_report(predictions: PredictionTable) -> CalibrationReport:
    """Analyze predictions; takes a second or two."""
    ranked = ranking(predictions) if is_binary(predictions) else None
    return CalibrationReport(predictions, calibration(predictions), ranked)


def format_calibration(found: CalibrationReport, width: int, utf8: bool) -> Text:
    """Return the conclusion, and the histogram from the least to the most confident bin."""
    result = found.calibration
    images = found.predictions.right.size
    text = Text(f"{describe_calibration(result, images)}\n{describe_bins(result, images)}\n\n")
    some = [at for at, one in enumerate(result.bins) if one.right + one.wrong]
    shown = result.bins[some[0] : some[-1] + 1]
    most = max(one.right + one.wrong for one in shown)
    room = max(min(width - _NUMBERS, LONGEST_BAR), 1)
    text.append(tr("confidence    right   wrong   right of them"), "dim")
    for one in shown:
        share = "-" if one.accuracy is None else f"{one.accuracy:.3f}"
        bounds = pad_cells(tr("{low:.1f} to {high:.1f}", low=one.low, high=one.high), 10)
        text.append(f"\n{bounds}  {one.right:7,} {one.wrong:7,}   {share:<13}")
        text.append_text(stacked_bar(((one.right, RIGHT), (one.wrong, WRONG)), most, room, utf8))
    return text


def format_threshold(found: CalibrationReport, threshold: float) -> Text:
    """Return the effects of a threshold for the positive label."""
    at = threshold_metrics(found.predictions, threshold)
    precision = "-" if at.precision is None else f"{at.precision:.3f}"
    positive = safe_text(found.predictions.names[1], 20)
    text = Text.assemble(
        (
            tr("threshold {threshold:g} for {positive}", threshold=threshold, positive=positive),
            "bold",
        ),
        "  "
        + tr("precision {precision}, recall {recall:.3f}", precision=precision, recall=at.recall)
        + "\n",
        describe_threshold(found.predictions, at),
    )
    if threshold == DEFAULT_THRESHOLD:
        return text
    return text.append(
        tr("\nChosen on these images, it looks better here than on new ones."), "dim"
    )


def threshold_curves(
    found: Ranking, utf8: bool, at: ThresholdMetrics | None = None
) -> tuple[ThresholdCurve, ThresholdCurve]:
    """Return the ROC curve, and precision over recall; `at` is marked on both."""
    chance = tuple(place / (POINTS - 1) for place in range(POINTS))
    area = Series(tr("area"), found.roc, CURVE, last=found.area)
    average = Series(tr("average"), found.precision, CURVE, last=found.average_precision)
    diagonal = Series(tr("chance"), chance, CHANCE, last=0.5, marker=".")
    alarms = at.false_alarms / at.negatives if at else None
    recall = at.recall if at else None
    return (
        ThresholdCurve(
            tr("ROC: recall over false alarms"), (diagonal, area), _options(utf8, at, alarms)
        ),
        ThresholdCurve(tr("precision over recall"), (average,), _options(utf8, at, recall)),
    )


def _options(utf8: bool, at: ThresholdMetrics | None, place: float | None) -> PlotOptions:
    marked = None if place is None else round(place * (POINTS - 1)) + 1
    name = f"{at.threshold:g}" if at else ""
    return PlotOptions(POINTS, ((1, "0"),), best=marked, best_name=name, end_name="1", utf8=utf8)
