"""The lessons by name, and what their results show: what other packages use."""

import difflib

from workbench.errors import UserError
from workbench.lessons import (
    borders,
    depth,
    head_first,
    how_much_data,
    overfitting,
    pooling,
    preprocessing,
    recompile,
    translation,
    two_ways,
)
from workbench.lessons.lesson import Conclusion, Lesson
from workbench.lessons.pictures import BarPlot, CurvePlot, ResultTable
from workbench.lessons.results import COMPARED_SHIFT, DIRECTIONS, SHIFT_STEPS, LessonResults
from workbench.text import format_choices, safe_text

__all__ = [
    "COMPARED_SHIFT",
    "DIRECTIONS",
    "LESSONS",
    "SHIFT_STEPS",
    "BarPlot",
    "CurvePlot",
    "Lesson",
    "conclude",
    "find_lesson",
    "lesson_picture",
    "lesson_table",
]

# In the order of the chapter.
LESSONS = {
    module.LESSON.name: module.LESSON
    for module in (
        translation,
        borders,
        pooling,
        overfitting,
        how_much_data,
        recompile,
        two_ways,
        preprocessing,
        head_first,
        depth,
    )
}


def find_lesson(name: str) -> Lesson:
    """Return the lesson of that name.

    Raises:
        UserError: there is none; the message lists all lessons.
    """
    if name in LESSONS:
        return LESSONS[name]
    close = difflib.get_close_matches(name, LESSONS, n=1)
    raise UserError(
        f"There is no lesson {safe_text(repr(name))}; allowed: {format_choices(list(LESSONS))}.",
        f"Did you mean {close[0]}?" if close else "`workbench lessons` lists what each is about.",
    )


def conclude(results: LessonResults) -> Conclusion:
    """Return the conclusion of a lesson from its results."""
    conclusion = LESSONS[results.lesson].conclude(results)
    if results.weights != "random":
        return conclusion
    random = (
        "The base had random weights, which know nothing: this shows nothing about a pretrained "
        "base."
    )
    return Conclusion(conclusion.seen, (random, *conclusion.lines))


def lesson_picture(results: LessonResults) -> CurvePlot | BarPlot:
    """Return what is drawn of the results; means over the seeds."""
    return LESSONS[results.lesson].picture(results)


def lesson_table(results: LessonResults) -> ResultTable:
    """Return all variants with their results."""
    return LESSONS[results.lesson].table(results)
