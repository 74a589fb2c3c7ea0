"""Dense against convolution, on shifted images."""

from workbench.lessons.lesson import Conclusion, Lesson
from workbench.lessons.noise import difference, minus, sum_of_means
from workbench.lessons.pictures import CurvePlot, seed_means
from workbench.lessons.results import COMPARED_SHIFT, LessonResults
from workbench.lessons.sentences import compare_accuracies, points, size_of
from workbench.lessons.variants import LessonInputs, Variant, convnet, dense


def _variants(inputs: LessonInputs) -> tuple[Variant, ...]:
    few = inputs.per_class(1000)
    measured = {"training": {"epochs": 15}, "evaluation": {"shift": 3}}
    return (
        Variant("dense", dense(inputs, measured), few),
        Variant("convnet", convnet(inputs, measured), few),
    )


def _conclude(results: LessonResults) -> Conclusion:
    """Compare how far accuracy falls from unshifted images to COMPARED_SHIFT steps of shift.

    Seen: the convnet falls less than the dense network, beyond the noise. Where neither falls
    beyond the noise, the images do not show it.
    """
    falls = {name: _fall(results, name) for name in ("dense", "convnet")}
    own, other = sum_of_means(falls["dense"]), sum_of_means(falls["convnet"])
    pixels = results.runs["dense"][0]["shifts"]["pixels"][COMPARED_SHIFT]
    unshifted = f"Unshifted: {compare_accuracies(results, 'dense', 'convnet')}"
    if not (own.larger or other.larger):
        neither = (
            f"Shifted by {pixels} pixels neither network falls beyond the noise: either the "
            "position of things does not matter in these images, or neither network has learned "
            "enough to lose any of it."
        )
        return Conclusion(False, (unshifted, neither))
    fell = difference(falls["dense"], falls["convnet"])
    size = size_of(fell)
    compared = fell.choose(
        f"the convnet falls more, {size}. Convolutions did not help here.",
        f"the convnet falls less, {size}.",
        f"no difference seen ({fell}).",
    )
    shifted = (
        f"Shifted by {pixels} pixels, dense falls by {points(own.mean)}, convnet by "
        f"{points(other.mean)}: {compared}"
    )
    reason = (
        "A convolution uses the same weights everywhere, a dense layer has to learn a stroke again "
        "for every place. The convnet's own dense layers do, too, so it is not immune."
    )
    return Conclusion(fell.smaller, (unshifted, shifted, *([reason] if fell.smaller else [])))


def _fall(results: LessonResults, variant: str) -> list[list[float]]:
    """Return how much less each image is recognised when shifted; the mean of all directions."""
    return minus(results.right(variant, "measured"), results.right(variant, "moved"))


def _picture(results: LessonResults) -> CurvePlot:
    pixels = results.runs["dense"][0]["shifts"]["pixels"]
    series = [
        (name, seed_means([shifts["accuracy"] for shifts in results.each(name, "shifts")]))
        for name in results.variants
    ]
    places = (f"{pixels[0]}", f"{pixels[-1]} pixels")
    return CurvePlot("test accuracy over pixels of shift", places, tuple(series))


LESSON = Lesson(
    name="translation",
    title="Dense against convolution, on shifted images",
    question="Which network still recognises an image that was shifted by some pixels?",
    section="5.1.1",
    concepts=("local-patterns",),
    variants=_variants,
    conclude=_conclude,
    picture=_picture,
    shifts=True,
)
