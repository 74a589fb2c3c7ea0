"""The base's own preprocessing against 1/255."""

from workbench.lessons.lesson import Conclusion, Lesson
from workbench.lessons.pictures import accuracy_bars
from workbench.lessons.results import LessonResults
from workbench.lessons.sentences import accuracy_difference, accuracy_sentence
from workbench.lessons.variants import LessonInputs, Variant, extraction


def _variants(inputs: LessonInputs) -> tuple[Variant, ...]:
    few = inputs.per_class(500)
    return tuple(
        Variant(name, extraction(inputs, {"base": {"preprocessing": way}}), few)
        for name, way in (("own", "own"), ("1/255", "rescale"))
    )


def _conclude(results: LessonResults) -> Conclusion:
    """Compare accuracy. Seen: the base's own preprocessing is better, beyond the noise."""
    found = accuracy_difference(results, "own", "1/255")
    reason = found.choose(
        "The reverse of what was expected: these images may be unlike those that the weights were "
        "trained on.",
        "Weights expect the range of values that they were trained on.",
        "On these images the base works with either. MobileNetV2's own range is -1 to 1, not far "
        "from 0 to 1; VGG16's, which swaps the colours and subtracts means, is further off.",
    )
    return Conclusion(found.smaller, (accuracy_sentence(results, "own", "1/255"), reason))


LESSON = Lesson(
    name="preprocessing",
    title="The base's own preprocessing against 1/255",
    question="Does it matter how pixels are scaled for a pretrained base?",
    section="5.3.1",
    concepts=("preprocessing",),
    variants=_variants,
    conclude=_conclude,
    picture=accuracy_bars,
    needs_base=True,
)
