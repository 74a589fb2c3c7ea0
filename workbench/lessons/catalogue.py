"""The lessons by name, and what their results show: what other packages use."""

import difflib

from workbench.errors import UserError
from workbench.lessons.convnets import BORDERS, POOLING, TRANSLATION
from workbench.lessons.feature_extraction import PREPROCESSING, RECOMPILE, TWO_WAYS
from workbench.lessons.fine_tuning import DEPTH, HEAD_FIRST
from workbench.lessons.lesson import (
    BarPlot,
    Conclusion,
    CurvePlot,
    Lesson,
    LessonResults,
    ResultTable,
)
from workbench.lessons.small_data import HOW_MUCH_DATA, OVERFITTING
from workbench.text import format_choices, safe_text

# In the order of the chapter.
LESSONS = {
    lesson.name: lesson
    for lesson in (
        TRANSLATION,
        BORDERS,
        POOLING,
        OVERFITTING,
        HOW_MUCH_DATA,
        RECOMPILE,
        TWO_WAYS,
        PREPROCESSING,
        HEAD_FIRST,
        DEPTH,
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
