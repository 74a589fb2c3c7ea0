"""With and without max pooling."""

from workbench.lessons.lesson import Conclusion, Lesson
from workbench.lessons.pictures import gap_curves
from workbench.lessons.results import LessonResults
from workbench.lessons.sentences import accuracy_sentence, format_gap, gap_difference
from workbench.lessons.variants import LessonInputs, Variant, convnet


def _variants(inputs: LessonInputs) -> tuple[Variant, ...]:
    few = inputs.per_class(1000)
    return (
        Variant("pooling", convnet(inputs, {}), few),
        Variant("no pooling", convnet(inputs, {"model": {"pooling": False}}), few),
    )


def _conclude(results: LessonResults) -> Conclusion:
    """Compare parameters and receptive field (arithmetic), the gap, accuracy.

    Seen: without pooling the gap between training and validation is larger, beyond the noise.
    """
    with_, without = results.facts["pooling"], results.facts["no pooling"]
    times = without["parameters"] / with_["parameters"]
    gap = gap_difference(results, "pooling", "no pooling")
    compared = gap.choose(
        f"pooling reduces overfitting ({gap}).",
        f"less without pooling ({gap}).",
        f"no difference seen ({gap}).",
    )
    lines = (
        f"Without pooling the network has {without['parameters']:,} parameters, with it "
        f"{with_['parameters']:,}: {times:.1f} times as many.",
        f"The receptive field of the last map is {without['receptive_field']} pixels of the "
        f"image's side without, {with_['receptive_field']} with pooling.",
        f"Training is ahead of validation by {format_gap(results, 'pooling')} with and "
        f"{format_gap(results, 'no pooling')} without: {compared}",
        accuracy_sentence(results, "pooling", "no pooling"),
    )
    return Conclusion(gap.larger, lines)


LESSON = Lesson(
    name="pooling",
    title="With and without max pooling",
    question="What does pooling do to parameters, to the receptive field, and to overfitting?",
    section="5.1.2",
    concepts=("max-pooling", "parameters"),
    variants=_variants,
    conclude=_conclude,
    picture=gap_curves,
)
