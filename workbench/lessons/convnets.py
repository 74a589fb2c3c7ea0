"""Lessons on convnets: convolutions against dense layers, borders of maps, max pooling."""

from workbench.lessons.comparison import (
    accuracy_sentence,
    compare_accuracies,
    difference,
    format_gap,
    gap_difference,
    minus,
    percent,
    points,
    size_of,
    sum_of_means,
)
from workbench.lessons.lesson import (
    COMPARED_SHIFT,
    Conclusion,
    CurvePlot,
    Lesson,
    LessonResults,
    gap_curves,
    seed_means,
)
from workbench.lessons.variants import LessonInputs, Tree, Variant, convnet, dense
from workbench.messages import tr

EVEN = 0.01  # of the middle: what the border of a map may differ by and still count as even
NO_ACTIVATION = 1e-9  # mean activation below which a map does not respond


def _translation_variants(inputs: LessonInputs) -> tuple[Variant, ...]:
    few = inputs.per_class(1000)
    measured = {"training": {"epochs": 15}, "evaluation": {"shift": 3}}
    return (
        Variant("dense", dense(inputs, measured), few),
        Variant("convnet", convnet(inputs, measured), few),
    )


def _translation_conclude(results: LessonResults) -> Conclusion:
    """Compare how far accuracy falls from unshifted images to COMPARED_SHIFT steps of shift.

    Seen: the convnet falls less than the dense network, beyond the noise. Where neither falls
    beyond the noise, the images do not show it.
    """
    falls = {name: _fall(results, name) for name in ("dense", "convnet")}
    own, other = sum_of_means(falls["dense"]), sum_of_means(falls["convnet"])
    pixels = results.runs["dense"][0]["shifts"]["pixels"][COMPARED_SHIFT]
    unshifted = tr(
        "Unshifted: {compare_accuracies}",
        compare_accuracies=compare_accuracies(results, "dense", "convnet"),
    )
    if not (own.larger or other.larger):
        neither = tr(
            "Shifted by {pixels} pixels neither network falls beyond the noise: either "
            "the position of things does not matter in these images, or neither "
            "network has learned enough to lose any of it.",
            pixels=pixels,
        )
        return Conclusion(False, (unshifted, neither))
    fell = difference(falls["dense"], falls["convnet"])
    size = size_of(fell)
    compared = fell.choose(
        tr("the convnet falls more, {size}. Convolutions did not help here.", size=size),
        tr("the convnet falls less, {size}.", size=size),
        tr("no difference seen ({fell}).", fell=fell),
    )
    shifted = tr(
        "Shifted by {pixels} pixels, dense falls by {points}, convnet by {points_2}: {compared}",
        pixels=pixels,
        points=points(own.mean),
        points_2=points(other.mean),
        compared=compared,
    )
    reason = tr(
        "A convolution uses the same weights everywhere, a dense layer has to "
        "learn a stroke again for every place. The convnet's own dense layers do, "
        "too, so it is not immune."
    )
    return Conclusion(fell.smaller, (unshifted, shifted, *([reason] if fell.smaller else [])))


def _fall(results: LessonResults, variant: str) -> list[list[float]]:
    """Return how much less each image is recognized when shifted; the mean of all directions."""
    return minus(results.right(variant, "measured"), results.right(variant, "moved"))


def _translation_picture(results: LessonResults) -> CurvePlot:
    pixels = results.runs["dense"][0]["shifts"]["pixels"]
    series = [
        (name, seed_means([shifts["accuracy"] for shifts in results.each(name, "shifts")]))
        for name in results.variants
    ]
    places = (f"{pixels[0]}", tr("{pixel} pixels", pixel=pixels[-1]))
    return CurvePlot(tr("test accuracy over pixels of shift"), places, tuple(series))


TRANSLATION = Lesson(
    name="translation",
    title=tr("Dense against convolution, on shifted images"),
    question=tr("Which network still recognizes an image that was shifted by some pixels?"),
    section="5.1.1",
    concepts=("local-patterns",),
    variants=_translation_variants,
    conclude=_translation_conclude,
    picture=_translation_picture,
    shifts=True,
)


def _borders_variants(inputs: LessonInputs) -> tuple[Variant, ...]:
    few = inputs.per_class(1000)
    changes: dict[str, Tree] = {
        "valid": {"padding": "valid"},
        "same": {"padding": "same"},
        "same, stride 2": {"padding": "same", "stride": 2, "pooling": False},
    }
    return tuple(
        Variant(name, convnet(inputs, {"model": model, "training": {"epochs": 8}}), few)
        for name, model in changes.items()
    )


def _borders_conclude(results: LessonResults) -> Conclusion:
    """Compare border and middle of the last convolution's map of an even grey image.

    Seen: with padding "same" the border differs from the middle by more than EVEN, and with "valid"
    it does not. All differences in the map of an even image come from the border.
    """
    lines, uneven = [], {}
    for name in results.variants:
        uneven[name], sentence = _border_of(results, name)
        lines.append(f"{name}: {results.facts[name]['sizes']}. {sentence}")
    seen = uneven["same"] and not uneven["valid"]
    if seen:
        lines.append(
            tr(
                'Padding "same" keeps a map\'s size with zeros around it, and these '
                'zeros count as content. "valid" has none, and loses the border '
                "instead."
            )
        )
    else:
        lines.append(tr("No effect of the padding on the border was seen."))
    lines.append(accuracy_sentence(results, "valid", "same"))
    return Conclusion(seen, tuple(lines))


def _border_of(results: LessonResults, variant: str) -> tuple[bool, str]:
    """Return whether the border differs from the middle, mean over the seeds, and a sentence."""
    rings = [run["even"] for run in results.each(variant, "rings")]
    if len(rings[0]) == 1:
        return False, tr("The map is too small to have a middle.")
    middle = sum(abs(ring[-1]) for ring in rings)
    if middle < NO_ACTIVATION:
        return False, tr("It does not respond to an even image.")
    apart = sum(abs(ring[0] - ring[-1]) for ring in rings) / middle
    if apart <= EVEN:
        return False, tr("On an even image, border and middle are alike.")
    return True, tr(
        "On an even image, the border differs from the middle by {percent}.", percent=percent(apart)
    )


def _borders_picture(results: LessonResults) -> CurvePlot:
    """Draw each map of an even image relative to its middle, which a smaller map reaches sooner."""
    series = []
    for name in results.variants:
        means = seed_means([rings["even"] for rings in results.each(name, "rings")])
        middle = means[-1]
        scaled = tuple(None if v is None or not middle else v / middle for v in means)
        series.append((name, scaled))
    longest = max(len(values) for _, values in series)
    series = [(n, values + values[-1:] * (longest - len(values))) for n, values in series]
    title = tr("activation from border to middle, even image, middle = 1")
    return CurvePlot(title, ("border", "middle"), tuple(series))


BORDERS = Lesson(
    name="borders",
    title=tr("Padding, stride and the border"),
    question=tr("What do padding and stride do to a map's size, and to the values at its border?"),
    section="5.1.1",
    concepts=("border-effect", "stride"),
    variants=_borders_variants,
    conclude=_borders_conclude,
    picture=_borders_picture,
    seeds=(1, 2),
    rings=True,
)


def _pooling_variants(inputs: LessonInputs) -> tuple[Variant, ...]:
    few = inputs.per_class(1000)
    return (
        Variant("pooling", convnet(inputs, {}), few),
        Variant("no pooling", convnet(inputs, {"model": {"pooling": False}}), few),
    )


def _pooling_conclude(results: LessonResults) -> Conclusion:
    """Compare parameters and receptive field (arithmetic), the gap, accuracy.

    Seen: without pooling the gap between training and validation is larger, beyond the noise.
    """
    with_, without = results.facts["pooling"], results.facts["no pooling"]
    times = without["parameters"] / with_["parameters"]
    gap = gap_difference(results, "pooling", "no pooling")
    compared = gap.choose(
        tr("pooling reduces overfitting ({gap}).", gap=gap),
        tr("less without pooling ({gap}).", gap=gap),
        tr("no difference seen ({gap}).", gap=gap),
    )
    lines = (
        tr(
            "Without pooling the network has {parameters:,} parameters, with it "
            "{parameters_2:,}: {times:.1f} times as many.",
            parameters=without["parameters"],
            parameters_2=with_["parameters"],
            times=times,
        ),
        tr(
            "The receptive field of the last map is {receptive_field} pixels of the "
            "image's side without, {receptive_field_2} with pooling.",
            receptive_field=without["receptive_field"],
            receptive_field_2=with_["receptive_field"],
        ),
        tr(
            "Training is ahead of validation by {results} with and {results_2} without: {compared}",
            results=format_gap(results, "pooling"),
            results_2=format_gap(results, "no pooling"),
            compared=compared,
        ),
        accuracy_sentence(results, "pooling", "no pooling"),
    )
    return Conclusion(gap.larger, lines)


POOLING = Lesson(
    name="pooling",
    title=tr("With and without max pooling"),
    question=tr("What does pooling do to parameters, to the receptive field, and to overfitting?"),
    section="5.1.2",
    concepts=("max-pooling", "parameters"),
    variants=_pooling_variants,
    conclude=_pooling_conclude,
    picture=gap_curves,
)
