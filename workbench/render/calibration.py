"""How sure a run is, and what a threshold does, as bars, curves and words. Pure."""

from dataclasses import dataclass

from rich.text import Text

from workbench.analysis.calibration import (
    Bin,
    Calibration,
    bin_words,
    calibration,
    calibration_words,
)
from workbench.analysis.errors import Answers
from workbench.analysis.thresholds import (
    POINTS,
    AtThreshold,
    Ranking,
    at_threshold,
    consequence,
    ranking,
    two_labels,
)
from workbench.render.plot import PlotOptions
from workbench.render.plot_canvas import Series
from workbench.text import safe_text

RIGHT, WRONG, CHANCE, CURVE = "#5faf5f", "#d75f5f", "#808080", "#5fafd7"
LONGEST_BAR = 40  # cells
_FIGURES = 44  # cells of a bin's figures, before its bar
USUAL = 0.5  # the threshold that nobody chose
STEP = 5  # per cent from one threshold to the next


@dataclass(frozen=True)
class Sureness:
    """What is known of a run's probabilities.

    Attributes:
        ranking: None for more than two labels, or images of one alone.
    """

    answers: Answers
    calibration: Calibration
    ranking: Ranking | None


@dataclass(frozen=True)
class Curve:
    """What is drawn into a plot of one of the two curves."""

    title: str
    series: tuple[Series, ...]
    options: PlotOptions


def sureness_of(answers: Answers) -> Sureness:
    """Bins and ranks; takes a second or two."""
    ranked = ranking(answers) if two_labels(answers) else None
    return Sureness(answers, calibration(answers), ranked)


def confidence_text(found: Sureness, width: int, utf8: bool) -> Text:
    """The verdict, and the histogram of what there is between the least sure and the surest."""
    told = found.calibration
    images = found.answers.right.size
    text = Text(f"{calibration_words(told, images)}\n{bin_words(told, images)}\n\n")
    some = [at for at, one in enumerate(told.bins) if one.right + one.wrong]
    shown = told.bins[some[0] : some[-1] + 1]
    most = max(one.right + one.wrong for one in shown)
    room = max(min(width - _FIGURES, LONGEST_BAR), 1)
    text.append("confidence    right   wrong   right of them", "dim")
    for one in shown:
        share = "-" if one.accuracy is None else f"{one.accuracy:.3f}"
        text.append(
            f"\n{one.low:.1f} to {one.high:.1f}  {one.right:7,} {one.wrong:7,}   {share:<13}"
        )
        text.append_text(_bar(one, most, room, utf8))
    return text


def _bar(one: Bin, most: int, room: int, utf8: bool) -> Text:
    """Right ones, then wrong ones; at least a cell for what there is."""
    text = Text()
    marks = ("█", "▒") if utf8 else ("#", "x")
    for mark, count, color in ((marks[0], one.right, RIGHT), (marks[1], one.wrong, WRONG)):
        text.append(mark * max(round(room * count / most), bool(count)), color)
    return text


def threshold_text(found: Sureness, threshold: float) -> Text:
    """What a threshold for the positive label leads to."""
    at = at_threshold(found.answers, threshold)
    precision = "-" if at.precision is None else f"{at.precision:.3f}"
    positive = safe_text(found.answers.names[1], 20)
    text = Text.assemble(
        (f"threshold {threshold:g} for {positive}", "bold"),
        f"  precision {precision}, recall {at.recall:.3f}\n",
        consequence(found.answers, at),
    )
    if threshold == USUAL:
        return text
    return text.append("\nChosen on these images, it looks better here than on new ones.", "dim")


def curves(found: Ranking, utf8: bool, at: AtThreshold | None = None) -> tuple[Curve, Curve]:
    """Hits over false alarms, and precision over recall.

    Args:
        at: the threshold that is marked on both.
    """
    chance = tuple(place / (POINTS - 1) for place in range(POINTS))
    area = Series("area", found.roc, CURVE, last=found.area)
    average = Series("average", found.precision, CURVE, last=found.average_precision)
    diagonal = Series("chance", chance, CHANCE, last=0.5, marker=".")
    alarms = at.false_alarms / at.negatives if at else None
    recall = at.recall if at else None
    return (
        Curve("ROC: recall over false alarms", (diagonal, area), _options(utf8, at, alarms)),
        Curve("precision over recall", (average,), _options(utf8, at, recall)),
    )


def _options(utf8: bool, at: AtThreshold | None, place: float | None) -> PlotOptions:
    marked = None if place is None else round(place * (POINTS - 1)) + 1
    name = f"{at.threshold:g}" if at else ""
    return PlotOptions(POINTS, ((1, "0"),), best=marked, best_name=name, end_name="1", utf8=utf8)
