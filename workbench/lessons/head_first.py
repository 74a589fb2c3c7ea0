"""Fine-tuning with and without training the head first."""

from statistics import fmean

from workbench.lessons.lesson import Conclusion, Lesson
from workbench.lessons.noise import ratio
from workbench.lessons.pictures import BarPlot
from workbench.lessons.results import LessonResults
from workbench.lessons.sentences import accuracy_sentence, size_share
from workbench.lessons.variants import UPPER_BLOCKS, LessonInputs, Variant, fine_tuning

HEAD = "head"  # the block of the head's own layers
NO_STEP = 1e-12  # a learning rate at which float32 weights do not change


def _variants(inputs: LessonInputs) -> tuple[Variant, ...]:
    """Make variants whose blocks train for as many epochs; at once, the head has no others."""
    few = inputs.per_class(200)
    blocks = {"learning_rate": 1e-5, "epochs": 5}
    first = {**blocks, "head_epochs": 8, "head_learning_rate": 1e-3}
    at_once = {**blocks, "head_epochs": 1, "head_learning_rate": NO_STEP}
    return (
        Variant("head first", fine_tuning(inputs, UPPER_BLOCKS, first), few),
        Variant("at once", fine_tuning(inputs, UPPER_BLOCKS, at_once), few),
    )


def _conclude(results: LessonResults) -> Conclusion:
    """Compare how far the base's blocks moved in the second stage, and accuracy.

    Seen: at once they moved further, beyond the noise (at least MIN_RATIO times; see `noise`).
    """
    first, at_once = (
        [fmean(share for block, share in moved.items() if block != HEAD) for moved in each]
        for each in (results.each(name, "moved") for name in ("head first", "at once"))
    )
    further = ratio(first, at_once)
    compared = further.choose(
        f"{further}. An untrained head changes what the base has learned.",
        f"less far ({further}), the reverse of what was expected.",
        f"no difference seen ({further}).",
    )
    lines = (
        f"In the epochs in which they train, the upper blocks move by {size_share(fmean(first))} "
        f"of their size after a trained head, and by {size_share(fmean(at_once))} under an "
        f"untrained one: {compared}",
        accuracy_sentence(results, "head first", "at once"),
        "At once, the head has had only these epochs to learn in, at a low rate.",
    )
    return Conclusion(further.larger, lines)


def _picture(results: LessonResults) -> BarPlot:
    rows = []
    for block in results.runs["at once"][0]["moved"]:
        for name in results.variants:
            moved = fmean(run["moved"][block] for run in results.runs[name])
            rows.append((f"{block}, {name}", moved, size_share(moved)))
    return BarPlot("how far each block moved while it trained", tuple(rows))


LESSON = Lesson(
    name="head-first",
    title="Fine-tuning with and without training the head first",
    question="What does an untrained head do to the blocks below it?",
    section="5.3.2",
    concepts=("head-first",),
    variants=_variants,
    conclude=_conclude,
    picture=_picture,
    needs_base=True,
)
