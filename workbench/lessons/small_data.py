"""Lessons on few images: remedies against overfitting, and what more images bring."""

from workbench.errors import UserError
from workbench.experiment.presets import preset_tree
from workbench.lessons.comparison import (
    accuracy_difference,
    format_accuracy,
    format_gap,
    gap_difference,
    percent,
    points,
    sum_of_means,
)
from workbench.lessons.lesson import Conclusion, CurvePlot, Lesson, LessonResults, gap_curves
from workbench.lessons.titles import lesson_title
from workbench.lessons.variants import LessonInputs, Tree, Variant, convnet
from workbench.messages import tr

MIN_GAP = 0.03  # training ahead of validation by less is not overfitting to reduce
SIZES = (50, 100, 200, 400, 800)  # training images of all classes
LEARNED = 0.98  # training accuracy below which a network has not learned its images yet


def _overfitting_variants(inputs: LessonInputs) -> tuple[Variant, ...]:
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


def _overfitting_conclude(results: LessonResults) -> Conclusion:
    """Compare with "none": the gap of each remedy, and its accuracy.

    Seen: the gap without a remedy is at least MIN_GAP and beyond the noise, and a remedy makes it
    smaller, beyond the noise.
    """
    first, *remedies = results.variants
    train, validation = results.right(first, "train"), results.right(first, "validation")
    own = sum_of_means(train, [[-value for value in each] for each in validation])
    overfits = own.larger and own.mean >= MIN_GAP
    lines = [
        tr("Without a remedy, training ends {points} ahead of validation.", points=points(own.mean))
        if overfits
        else tr(
            "Without a remedy training is {points} ahead of validation (noise "
            "{points_2}): no overfitting to be seen here.",
            points=points(own.mean),
            points_2=points(own.noise),
        )
    ]
    helped = False
    for name in remedies:
        gap, gain = gap_difference(results, first, name), accuracy_difference(results, first, name)
        helped |= gap.smaller
        lines.append(
            tr(
                "{name}: gap {gap}, {verdict} ({difference}); accuracy {accuracy} ({gain}).",
                name=lesson_title(name),
                gap=format_gap(results, name),
                verdict=gap.choose(tr("larger"), tr("smaller")),
                difference=gap,
                accuracy=gain.choose(tr("higher"), tr("lower")),
                gain=gain,
            )
        )
    return Conclusion(overfits and helped, tuple(lines))


OVERFITTING = Lesson(
    name="overfitting",
    title=tr("Dropout and augmentation against overfitting"),
    question=tr("Does the gap between training and validation shrink, and does accuracy gain?"),
    section="5.2.5",
    concepts=("overfitting", "augmentation", "dropout"),
    variants=_overfitting_variants,
    conclude=_overfitting_conclude,
    picture=gap_curves,
)


def _sizes(inputs: LessonInputs) -> tuple[Variant, ...]:
    """Make variants with equal steps, so that only the number of different images differs.

    Raises:
        UserError: there are too few images for two sizes.
    """
    available = inputs.trainable_per_class
    sizes = {inputs.per_class(images) for images in SIZES}
    fitting = sorted(size for size in sizes if size <= available)
    if len(fitting) < 2:
        raise UserError(
            tr(
                "About {available} training images a class are too few to split into parts.",
                available=available,
            ),
            tr("Give more images with --data, or omit it for the digits."),
        )
    spec = convnet(inputs, {"training": {"epochs": 12, "steps_per_epoch": 30}})
    return tuple(Variant(f"{size} a class", spec, size) for size in fitting)


def _conclude_sizes(results: LessonResults) -> Conclusion:
    """Compare the fewest and the most images, and the last step up.

    Seen: the most images give a higher accuracy than the fewest, beyond the noise. More images are
    worthwhile where the last step up still gained beyond the noise. Where the network has not
    learned the most images (training accuracy below LEARNED), this decides nothing, which is noted.
    """
    names = results.variants
    fewest, most = names[0], names[-1]
    total = accuracy_difference(results, fewest, most)
    last = accuracy_difference(results, names[-2], most)
    step = last.choose(
        tr("still gained {last}: more images are worthwhile.", last=last),
        tr("lost {last}: inspect these images.", last=last),
        tr(
            "brought no visible difference ({last}): more images of this kind "
            "would bring little to this network.",
            last=last,
        ),
    )
    lines = [
        tr(
            "From {fewest} to {most}, accuracy goes from {results} to {results_2}: "
            "{choose} ({total}).",
            fewest=fewest,
            most=most,
            results=format_accuracy(results, fewest),
            results_2=format_accuracy(results, most),
            choose=total.choose("higher", "lower"),
            total=total,
        ),
        tr(
            "The last step, from {name} to {most}, {step}",
            name=lesson_title(names[-2]),
            most=lesson_title(most),
            step=step,
        ),
    ]
    learned = results.mean(most, "train")
    if learned < LEARNED and not last.larger:
        lines.append(
            tr(
                "But training accuracy on the most is {percent}: in so many steps "
                "they were not learned yet. Train longer before you decide.",
                percent=percent(learned),
            )
        )
    lines.append(
        tr(
            "Training is ahead of validation by {gap} with the fewest and by {gap_with_most} "
            "with the most.",
            gap=format_gap(results, fewest),
            gap_with_most=format_gap(results, most),
        )
    )
    return Conclusion(total.larger, tuple(lines))


def _size_curves(results: LessonResults) -> CurvePlot:
    names = results.variants
    series = tuple(
        (title, tuple(results.mean(name, key) for name in names))
        for title, key in (("training", "train"), ("test", "accuracy"))
    )
    return CurvePlot(tr("accuracy over training images"), (names[0], names[-1]), series)


HOW_MUCH_DATA = Lesson(
    name="how-much-data",
    title=tr("Accuracy over the number of images"),
    question=tr("What would twice as many images bring?"),
    section="5.2.1",
    concepts=("overfitting", "interval"),
    variants=_sizes,
    conclude=_conclude_sizes,
    picture=_size_curves,
)
