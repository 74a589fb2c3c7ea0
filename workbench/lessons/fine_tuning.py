"""Lessons on fine-tuning: an untrained head, and which part of the base to train."""

from statistics import fmean, median

from workbench.bases.architectures import base_table
from workbench.lessons.comparison import (
    accuracy_difference,
    accuracy_sentence,
    format_accuracy,
    points,
    ratio,
    size_share,
    which_is_better,
)
from workbench.lessons.lesson import BarPlot, Conclusion, Lesson, LessonResults, accuracy_bars
from workbench.lessons.variants import (
    BASE,
    BASE_SIDE,
    LOWER_BLOCKS,
    UPPER_BLOCKS,
    LessonInputs,
    Variant,
    extraction,
    fine_tuning,
)

HEAD = "head"  # the block of the head's own layers
NO_STEP = 1e-12  # a learning rate at which float32 weights do not change


def _head_first_variants(inputs: LessonInputs) -> tuple[Variant, ...]:
    """Make variants whose blocks train for as many epochs; at once, the head has no others."""
    few = inputs.per_class(200)
    blocks = {"learning_rate": 1e-5, "epochs": 5}
    first = {**blocks, "head_epochs": 8, "head_learning_rate": 1e-3}
    at_once = {**blocks, "head_epochs": 1, "head_learning_rate": NO_STEP}
    return (
        Variant("head first", fine_tuning(inputs, UPPER_BLOCKS, first), few),
        Variant("at once", fine_tuning(inputs, UPPER_BLOCKS, at_once), few),
    )


def _head_first_conclude(results: LessonResults) -> Conclusion:
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


def _head_first_picture(results: LessonResults) -> BarPlot:
    rows = []
    for block in results.runs["at once"][0]["moved"]:
        for name in results.variants:
            moved = fmean(run["moved"][block] for run in results.runs[name])
            rows.append((f"{block}, {name}", moved, size_share(moved)))
    return BarPlot("how far each block moved while it trained", tuple(rows))


HEAD_FIRST = Lesson(
    name="head-first",
    title="Fine-tuning with and without training the head first",
    question="What does an untrained head do to the blocks below it?",
    section="5.3.2",
    concepts=("head-first",),
    variants=_head_first_variants,
    conclude=_head_first_conclude,
    picture=_head_first_picture,
    needs_base=True,
)


def _depth_variants(inputs: LessonInputs) -> tuple[Variant, ...]:
    """Make feature extraction, and fine-tuning of parts of the base, for as many epochs."""
    few = inputs.per_class(200)
    training = {"epochs": 3, "head_epochs": 8, "learning_rate": 1e-4}
    head_only = {"epochs": 3 + 8, "batch_size": 16}
    trained = {
        "upper blocks": UPPER_BLOCKS,
        "lower blocks": LOWER_BLOCKS,
        "everything": list(base_table(BASE, (BASE_SIDE, BASE_SIDE)).blocks),
    }
    return (
        Variant("head alone", extraction(inputs, {"training": head_only}), few),
        *(
            Variant(name, fine_tuning(inputs, blocks, training), few)
            for name, blocks in trained.items()
        ),
    )


def _depth_conclude(results: LessonResults) -> Conclusion:
    """Compare with the head alone: accuracy where upper, lower or all blocks train, too.

    Seen: one of them is better or worse than the head alone, beyond the noise.
    """
    alone, *deeper = results.variants
    lines = [f"{alone}: accuracy {format_accuracy(results, alone)}."]
    seen = False
    for name in deeper:
        found = accuracy_difference(results, alone, name)
        seen |= found.seen
        epoch = median(results.runs[name][0]["epoch_seconds"][-2:])
        lines.append(
            f"{name}: accuracy {format_accuracy(results, name)}, "
            f"{found.choose('better', 'worse')} ({found}); {epoch:.2f} s an epoch."
        )
    parts = ("lower blocks", "upper blocks")
    upper = accuracy_difference(results, *parts)
    lines.append(f"Upper against lower blocks: {which_is_better(upper, *parts)}.")
    if not seen:
        lines.append(
            f"With {points(upper.noise)} of noise, these images do not show which part to train."
        )
    return Conclusion(seen, tuple(lines))


DEPTH = Lesson(
    name="depth",
    title="Upper blocks, lower blocks, everything",
    question="Which part of the base is worth training?",
    section="5.3.2",
    concepts=("upper-layers", "transfer"),
    variants=_depth_variants,
    conclude=_depth_conclude,
    picture=accuracy_bars,
    seeds=(1, 2),
    needs_base=True,
)
