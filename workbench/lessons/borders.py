"""Padding, stride and the border of a map."""

from workbench.lessons.lesson import Conclusion, Lesson
from workbench.lessons.pictures import CurvePlot, seed_means
from workbench.lessons.results import LessonResults
from workbench.lessons.sentences import accuracy_sentence, percent
from workbench.lessons.variants import LessonInputs, Tree, Variant, convnet

EVEN = 0.01  # of the middle: what the border of a map may differ by and still count as even
NO_ACTIVATION = 1e-9  # mean activation below which a map does not respond


def _variants(inputs: LessonInputs) -> tuple[Variant, ...]:
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


def _conclude(results: LessonResults) -> Conclusion:
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
            'Padding "same" keeps a map\'s size with zeros around it, and these zeros count as '
            'content. "valid" has none, and loses the border instead.'
        )
    else:
        lines.append("No effect of the padding on the border was seen.")
    lines.append(accuracy_sentence(results, "valid", "same"))
    return Conclusion(seen, tuple(lines))


def _border_of(results: LessonResults, variant: str) -> tuple[bool, str]:
    """Return whether the border differs from the middle, mean over the seeds, and a sentence."""
    rings = [run["even"] for run in results.each(variant, "rings")]
    if len(rings[0]) == 1:
        return False, "The map is too small to have a middle."
    middle = sum(abs(ring[-1]) for ring in rings)
    if middle < NO_ACTIVATION:
        return False, "It does not respond to an even image."
    apart = sum(abs(ring[0] - ring[-1]) for ring in rings) / middle
    if apart <= EVEN:
        return False, "On an even image, border and middle are alike."
    return True, f"On an even image, the border differs from the middle by {percent(apart)}."


def _picture(results: LessonResults) -> CurvePlot:
    """Draw each map of an even image relative to its middle, which a smaller map reaches sooner."""
    series = []
    for name in results.variants:
        means = seed_means([rings["even"] for rings in results.each(name, "rings")])
        middle = means[-1]
        scaled = tuple(None if v is None or not middle else v / middle for v in means)
        series.append((name, scaled))
    longest = max(len(values) for _, values in series)
    series = [(n, values + values[-1:] * (longest - len(values))) for n, values in series]
    title = "activation from border to middle, even image, middle = 1"
    return CurvePlot(title, ("border", "middle"), tuple(series))


LESSON = Lesson(
    name="borders",
    title="Padding, stride and the border",
    question="What do padding and stride do to a map's size, and to the values at its border?",
    section="5.1.1",
    concepts=("border-effect", "stride"),
    variants=_variants,
    conclude=_conclude,
    picture=_picture,
    seeds=(1, 2),
    rings=True,
)
