"""Dropout and augmentation against overfitting."""

from workbench.experiment.presets import preset_tree
from workbench.lessons.lesson import Conclusion, Lesson
from workbench.lessons.noise import sum_of_means
from workbench.lessons.pictures import gap_curves
from workbench.lessons.results import LessonResults
from workbench.lessons.sentences import accuracy_difference, format_gap, gap_difference, points
from workbench.lessons.variants import LessonInputs, Tree, Variant, convnet

MIN_GAP = 0.03  # training ahead of validation by less is no overfitting to reduce


def _variants(inputs: LessonInputs) -> tuple[Variant, ...]:
    few = inputs.per_class(200)
    long: Tree = {"training": {"epochs": 25, "batch_size": 16}}
    preset = preset_tree("convnet-augmented", "-", inputs.facts)
    augmented = {"augmentation": preset["augmentation"]}
    dropout: Tree = {"model": {"dropout": 0.5}}
    changes: dict[str, list[Tree]] = {
        "none": [],
        "dropout": [dropout],
        "augmentation": [augmented],
        "both": [dropout, augmented],
    }
    return tuple(
        Variant(name, convnet(inputs, long, *parts), few) for name, parts in changes.items()
    )


def _conclude(results: LessonResults) -> Conclusion:
    """Compare with "none": the gap of each remedy, and its accuracy.

    Seen: the gap without a remedy is at least MIN_GAP and beyond the noise, and a remedy makes it
    smaller, beyond the noise.
    """
    first, *remedies = results.variants
    train, validation = results.right(first, "train"), results.right(first, "validation")
    own = sum_of_means(train, [[-value for value in each] for each in validation])
    overfits = own.larger and own.mean >= MIN_GAP
    lines = [
        f"Without a remedy, training ends {points(own.mean)} ahead of validation."
        if overfits
        else f"Without a remedy training is {points(own.mean)} ahead of validation "
        f"(noise {points(own.noise)}): no overfitting to be seen here."
    ]
    helped = False
    for name in remedies:
        gap, gain = gap_difference(results, first, name), accuracy_difference(results, first, name)
        helped |= gap.smaller
        lines.append(
            f"{name}: gap {format_gap(results, name)}, {gap.choose('larger', 'smaller')} ({gap}); "
            f"accuracy {gain.choose('higher', 'lower')} ({gain})."
        )
    return Conclusion(overfits and helped, tuple(lines))


LESSON = Lesson(
    name="overfitting",
    title="Dropout and augmentation against overfitting",
    question="Does the gap between training and validation shrink, and does accuracy gain?",
    section="5.2.5",
    concepts=("overfitting", "augmentation", "dropout"),
    variants=_variants,
    conclude=_conclude,
    picture=gap_curves,
)
