"""Pieces of sentences about accuracies."""

from workbench.lessons.noise import Difference, difference
from workbench.lessons.results import Results

Lines = tuple[bool, list[str]]  # whether the effect was seen, and what is said


def percent(share: float) -> str:
    """0.953 is 95.3 %."""
    return f"{100 * share:.1f} %"


def points(share: float) -> str:
    """0.131 is 13.1 points."""
    return f"{100 * share:.1f} points"


def between(results: Results, first: str, second: str) -> Difference:
    """The second variant's accuracy minus the first's."""
    return difference(results.right(first, "measured"), results.right(second, "measured"))


def by(found: Difference) -> str:
    """How large a difference is, whatever its direction."""
    return f"by {points(abs(found.mean))} (noise {100 * found.noise:.1f})"


def verdict(found: Difference, first: str, second: str) -> str:
    """Which of the two is better, or that no difference was seen."""
    if found.seen:
        return f"{second if found.more else first} is better, {by(found)}"
    return f"no difference seen ({found})"


def accuracies(results: Results, first: str, second: str) -> str:
    """Both accuracies, and which is better."""
    each = [f"{name} {percent(results.mean(name, 'accuracy'))}" for name in (first, second)]
    found = between(results, first, second)
    return f"{', '.join(each)}: {verdict(found, first, second)}."


def held_against(results: Results, first: str, second: str) -> str:
    """A sentence of its own about two accuracies."""
    return f"Accuracy on {results.measured_on:,} images: {accuracies(results, first, second)}"
