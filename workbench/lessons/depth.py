"""Upper blocks, lower blocks, everything: which part of the base to train."""

from statistics import median

from workbench.bases.architectures import base_table
from workbench.lessons.lesson import Conclusion, Lesson
from workbench.lessons.pictures import accuracy_bars
from workbench.lessons.results import LessonResults
from workbench.lessons.sentences import (
    accuracy_difference,
    format_accuracy,
    points,
    which_is_better,
)
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


def _variants(inputs: LessonInputs) -> tuple[Variant, ...]:
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


def _conclude(results: LessonResults) -> Conclusion:
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


LESSON = Lesson(
    name="depth",
    title="Upper blocks, lower blocks, everything",
    question="Which part of the base is worth training?",
    section="5.3.2",
    concepts=("upper-layers", "transfer"),
    variants=_variants,
    conclude=_conclude,
    picture=accuracy_bars,
    seeds=(1, 2),
    needs_base=True,
)
