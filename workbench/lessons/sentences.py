"""Comparisons of two variants, and how conclusions phrase them."""

from statistics import fmean

from workbench.lessons.noise import AccuracyDifference, difference, minus, sum_of_means
from workbench.lessons.results import LessonResults


def percent(share: float) -> str:
    """Return "95.3 %" for 0.953."""
    return f"{100 * share:.1f} %"


def points(share: float) -> str:
    """Return "13.1 points" for 0.131."""
    return f"{100 * share:.1f} points"


def size_share(share: float) -> str:
    """Return "1.95 %" for 0.0195: a movement relative to the size of the weights."""
    return f"{100 * share:.2f} %"


def accuracy_difference(results: LessonResults, first: str, second: str) -> AccuracyDifference:
    """Return the second variant's accuracy minus the first's."""
    return difference(results.right(first, "measured"), results.right(second, "measured"))


def gap_difference(results: LessonResults, first: str, second: str) -> AccuracyDifference:
    """Return the gap between training and validation of the second minus that of the first."""
    training = minus(results.right(second, "train"), results.right(first, "train"))
    validation = minus(results.right(first, "validation"), results.right(second, "validation"))
    return sum_of_means(training, validation)


def format_gap(results: LessonResults, variant: str) -> str:
    """Return the mean gap of a variant in points."""
    return points(fmean(results.gaps(variant)))


def format_accuracy(results: LessonResults, variant: str) -> str:
    """Return the mean accuracy of a variant in percent."""
    return percent(results.mean(variant, "accuracy"))


def size_of(found: AccuracyDifference) -> str:
    """Return how large a difference is, without its direction."""
    return f"by {points(abs(found.mean))} (noise {100 * found.noise:.1f})"


def which_is_better(found: AccuracyDifference, first: str, second: str) -> str:
    """Return which of the two is better, or that no difference was seen."""
    size = size_of(found)
    return found.choose(
        f"{second} is better, {size}", f"{first} is better, {size}", f"no difference seen ({found})"
    )


def compare_accuracies(results: LessonResults, first: str, second: str) -> str:
    """Return both accuracies, and which is better."""
    each = ", ".join(f"{name} {format_accuracy(results, name)}" for name in (first, second))
    found = accuracy_difference(results, first, second)
    return f"{each}: {which_is_better(found, first, second)}."


def accuracy_sentence(results: LessonResults, first: str, second: str) -> str:
    """Return a complete sentence that compares two accuracies."""
    compared = compare_accuracies(results, first, second)
    return f"Accuracy on {results.measured_on:,} images: {compared}"
