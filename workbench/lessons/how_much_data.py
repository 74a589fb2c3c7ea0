"""Accuracy over the number of images."""

from workbench.errors import UserError
from workbench.lessons.lesson import Conclusion, Lesson
from workbench.lessons.pictures import CurvePlot
from workbench.lessons.results import LessonResults
from workbench.lessons.sentences import accuracy_difference, format_accuracy, format_gap, percent
from workbench.lessons.variants import LessonInputs, Variant, convnet

SIZES = (50, 100, 200, 400, 800)  # training images of all classes
LEARNED = 0.98  # training accuracy below which a network has not learned its images yet


def _variants(inputs: LessonInputs) -> tuple[Variant, ...]:
    """Make variants with equal steps, so that only the number of different images differs.

    Raises:
        UserError: there are too few images for two sizes.
    """
    available = inputs.trainable_per_class
    sizes = {inputs.per_class(images) for images in SIZES}
    fitting = sorted(size for size in sizes if size <= available)
    if len(fitting) < 2:
        raise UserError(
            f"About {available} training images a class are too few to split into parts.",
            "Give more images with --data, or omit it for the digits.",
        )
    spec = convnet(inputs, {"training": {"epochs": 12, "steps_per_epoch": 30}})
    return tuple(Variant(f"{size} a class", spec, size) for size in fitting)


def _conclude(results: LessonResults) -> Conclusion:
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
        f"still gained {last}: more images are worthwhile.",
        f"lost {last}: inspect these images.",
        f"brought no visible difference ({last}): more images of this kind would bring little to "
        "this network.",
    )
    lines = [
        f"From {fewest} to {most}, accuracy goes from {format_accuracy(results, fewest)} to "
        f"{format_accuracy(results, most)}: {total.choose('higher', 'lower')} ({total}).",
        f"The last step, from {names[-2]} to {most}, {step}",
    ]
    learned = results.mean(most, "train")
    if learned < LEARNED and not last.larger:
        lines.append(
            f"But training accuracy on the most is {percent(learned)}: in so many steps they were "
            "not learned yet. Train longer before you decide."
        )
    lines.append(
        f"Training is ahead of validation by {format_gap(results, fewest)} with the fewest and by "
        f"{format_gap(results, most)} with the most."
    )
    return Conclusion(total.larger, tuple(lines))


def _picture(results: LessonResults) -> CurvePlot:
    names = results.variants
    series = tuple(
        (title, tuple(results.mean(name, key) for name in names))
        for title, key in (("training", "train"), ("test", "accuracy"))
    )
    return CurvePlot("accuracy over training images", (names[0], names[-1]), series)


LESSON = Lesson(
    name="how-much-data",
    title="Accuracy over the number of images",
    question="What would twice as many images bring?",
    section="5.2.1",
    concepts=("overfitting", "interval"),
    variants=_variants,
    conclude=_conclude,
    picture=_picture,
)
