"""What an experiment's figures say, in sentences that follow from them.

A difference of accuracies is one where it lies beyond the noise (see `noise`); else the sentence is
"no difference seen". Each function states its rule; where an effect is absent or reversed on the
images at hand, that is what is said.
"""

from collections.abc import Callable
from dataclasses import dataclass

from workbench.lessons import conclusions_base as on_base
from workbench.lessons.catalogue import JUDGED_SHIFT
from workbench.lessons.noise import Difference, Values, combined, difference, minus
from workbench.lessons.results import Results
from workbench.lessons.sentences import (
    Lines,
    accuracies,
    between,
    by,
    held_against,
    percent,
    points,
)

EVEN = 0.01  # of the middle: what the border of a map may differ by and still be called even
NOTHING = 1e-9  # mean activation below which a map answers nothing
LEARNED = 0.98  # training accuracy below which a network has not learned its images yet
LEAST_GAP = 0.03  # training ahead of validation by less is no overfitting to fight


@dataclass(frozen=True)
class Conclusion:
    """What was seen.

    Attributes:
        seen: the effect that the experiment is about was seen on these images.
        lines: sentences, most important first.
    """

    seen: bool
    lines: tuple[str, ...]


def conclude(results: Results) -> Conclusion:
    """The conclusion of an experiment from its own figures."""
    seen, lines = _RULES[results.experiment](results)
    if results.weights == "random":
        lines = [
            "The base had random weights, which know nothing: this says nothing about a "
            "pretrained base.",
            *lines,
        ]
    return Conclusion(seen, tuple(lines))


def translation(results: Results) -> Lines:
    """Held against each other: how far accuracy falls from unmoved to JUDGED_SHIFT steps of shift.

    Seen: the convnet falls less than the dense network, beyond the noise. Where neither falls
    beyond the noise, the images cannot tell.
    """
    dense, convnet = _fall(results, "dense"), _fall(results, "convnet")
    pixels = results.runs["dense"][0]["shifts"]["pixels"][JUDGED_SHIFT]
    lines = [f"Unmoved: {accuracies(results, 'dense', 'convnet')}"]
    own, other = combined(dense), combined(convnet)
    if not (own.more or other.more):
        lines.append(
            f"Moved by {pixels} pixels neither network falls beyond the noise: either it does not "
            "matter where things lie in these images, or neither network knows enough of them to "
            "lose any of it."
        )
        return False, lines
    fell = difference(dense, convnet)
    said = f"Moved by {pixels} pixels, dense falls by {points(own.mean)}, convnet by "
    said += f"{points(other.mean)}: "
    if fell.less:
        lines.append(f"{said}the convnet falls less, {by(fell)}.")
        lines.append(
            "A convolution uses the same weights everywhere, a dense layer has to learn a stroke "
            "anew for every place. The convnet's own dense layers do, too, so it is not immune."
        )
    elif fell.more:
        lines.append(f"{said}the convnet falls more, {by(fell)}. Convolutions did not help here.")
    else:
        lines.append(f"{said}no difference seen ({fell}).")
    return fell.less, lines


def _fall(results: Results, variant: str) -> list[list[float]]:
    """How much less each image is known when it is moved; the mean of eight directions."""
    return minus(results.right(variant, "measured"), results.right(variant, "moved"))


def borders(results: Results) -> Lines:
    """Looked at: the last convolution's map of an even grey image, border against middle.

    Seen: with padding "same" the border differs from the middle by more than EVEN, and with "valid"
    it does not. Whatever differs in the map of an even image comes from the border alone.
    """
    lines, uneven = [], {}
    for name in results.variants:
        uneven[name], said = _border_of(results, name)
        lines.append(f"{name}: {results.facts[name]['sizes']}. {said}")
    seen = uneven["same"] and not uneven["valid"]
    if seen:
        lines.append(
            'Padding "same" keeps a map\'s size with zeros around it, and these zeros are seen as '
            'if they were content. "valid" has none, and loses the border instead.'
        )
    else:
        lines.append("No effect of the padding on the border was seen.")
    lines.append(held_against(results, "valid", "same"))
    return seen, lines


def _border_of(results: Results, variant: str) -> tuple[bool, str]:
    """Whether the border differs from the middle, in the mean over the seeds, and the sentence."""
    rings = [run["even"] for run in results.each(variant, "rings")]
    if len(rings[0]) == 1:
        return False, "The map is too small to have a middle."
    middle = sum(abs(ring[-1]) for ring in rings)
    if middle < NOTHING:
        return False, "It answers nothing to an even image."
    apart = sum(abs(ring[0] - ring[-1]) for ring in rings) / middle
    if apart <= EVEN:
        return False, "On an even image, border and middle are alike."
    return True, f"On an even image, the border differs from the middle by {percent(apart)}."


def pooling(results: Results) -> Lines:
    """Held against each other: parameters and receptive field (arithmetic), the gap, accuracy.

    Seen: without pooling the gap between training and validation is larger, beyond the noise.
    """
    facts = results.facts
    with_, without = facts["pooling"], facts["no pooling"]
    ratio = without["parameters"] / with_["parameters"]
    gap = gap_difference(results, "pooling", "no pooling")
    gaps = f"{_gap(results, 'pooling')} with and {_gap(results, 'no pooling')} without"
    lines = [
        f"Without pooling the network has {without['parameters']:,} parameters, with it "
        f"{with_['parameters']:,}: {ratio:.1f} times as many.",
        f"A value of the last map sees {without['receptive_field']} pixels of the image's side "
        f"without, {with_['receptive_field']} with pooling.",
    ]
    if gap.more:
        lines.append(f"Training runs ahead of validation by {gaps}: pooling holds overfitting "
                     f"back ({gap}).")  # fmt: skip
    elif gap.less:
        lines.append(f"Training runs ahead of validation by {gaps}: less without pooling ({gap}).")
    else:
        lines.append(f"Training runs ahead of validation by {gaps}: no difference seen ({gap}).")
    lines.append(held_against(results, "pooling", "no pooling"))
    return gap.more, lines


def overfitting(results: Results) -> Lines:
    """Held against "none": the gap of each remedy, and its accuracy.

    Seen: the gap without a remedy is at least LEAST_GAP and beyond the noise, and a remedy makes it
    smaller, beyond the noise.
    """
    first, *remedies = results.variants
    own = combined(results.right(first, "train"), _negative(results.right(first, "validation")))
    if not own.more or own.mean < LEAST_GAP:
        told = f"training is {points(own.mean)} ahead of validation (noise {points(own.noise)})"
        lines = [f"Without a remedy {told}: no overfitting to be seen here."]
    else:
        lines = [f"Without a remedy, training ends {points(own.mean)} ahead of validation."]
    helped = False
    for name in remedies:
        gap = gap_difference(results, first, name)
        gain = between(results, first, name)
        helped |= gap.less
        changed = "smaller" if gap.less else "larger" if gap.more else "no difference seen"
        gained = "higher" if gain.more else "lower" if gain.less else "no difference seen"
        lines.append(f"{name}: gap {_gap(results, name)}, {changed} ({gap}); accuracy {gained} "
                     f"({gain}).")  # fmt: skip
    return own.more and own.mean >= LEAST_GAP and helped, lines


def how_much_data(results: Results) -> Lines:
    """Held against each other: the fewest and the most images, and the last step up.

    Seen: the most images give a higher accuracy than the fewest, beyond the noise. More images are
    worth having where the last step up still gained beyond the noise. Where the network has not
    learned the most images (training accuracy below LEARNED), it is said that this decides nothing.
    """
    names = results.variants
    whole, last = (between(results, a, b) for a, b in ((names[0], names[-1]), names[-2:]))
    first = f"From {names[0]} to {names[-1]}, accuracy goes from "
    first += f"{percent(results.mean(names[0], 'accuracy'))} to "
    first += f"{percent(results.mean(names[-1], 'accuracy'))}: "
    verdict = "higher" if whole.more else "lower" if whole.less else "no difference seen"
    lines = [f"{first}{verdict} ({whole})."]
    step = f"The last step, from {names[-2]} to {names[-1]}"
    if last.more:
        lines.append(f"{step}, still gained {last}: more images are worth having.")
    elif last.less:
        lines.append(f"{step}, lost {last}: look at what these images are.")
    else:
        lines.append(f"{step}, brought no difference that can be seen ({last}): more images of "
                     "this kind would bring little to this network.")  # fmt: skip
    learned = results.mean(names[-1], "train")
    if learned < LEARNED and not last.more:
        lines.append(f"But training accuracy on the most is {percent(learned)}: in so many steps "
                     "they were not learned yet. Train longer before you decide.")  # fmt: skip
    lines.append(
        f"Training is ahead of validation by {_gap(results, names[0])} with the fewest and by "
        f"{_gap(results, names[-1])} with the most."
    )
    return whole.more, lines


def recompile(results: Results) -> Lines:
    """Looked at: whether the layer's numbers moved at all. Frozen means that not one did.

    Seen: frozen and compiled the layer stays, with the compile forgotten it moves.
    """
    moved = {name: results.mean(name, "moved") for name in results.variants}
    forgotten = moved["frozen, compile forgotten"]
    lines = [
        f"Frozen and compiled, the layer {_went(moved['frozen, compiled'])}.",
        f"Frozen with the compile forgotten, it {_went(forgotten)}: "
        + ("`trainable = False` had no effect, and Keras said nothing." if forgotten
           else "this Keras heeds the change at once."),
        f"Thawed and compiled, it {_went(moved['thawed, compiled'])}; with the compile forgotten, "
        f"it {_went(moved['thawed, compile forgotten'])}.",
    ]  # fmt: skip
    early = moved["frozen before the first step"]
    lines.append(
        f"Frozen after the compile but before the first step, it {_went(early)}: "
        + ("even then a compile is needed." if early
           else "what trains is settled with the first step after a compile.")
    )  # fmt: skip
    return forgotten > 0 and moved["frozen, compiled"] == 0, lines


def _went(moved: float) -> str:
    return f"moved by {100 * moved:.2f} % of its size" if moved else "stayed to the last bit"


def gap_difference(results: Results, first: str, second: str) -> Difference:
    """The gap of the second variant minus that of the first."""
    training = minus(results.right(second, "train"), results.right(first, "train"))
    validation = minus(results.right(first, "validation"), results.right(second, "validation"))
    return combined(training, validation)


def _negative(values: Values) -> list[list[float]]:
    return [[-value for value in each] for each in values]


def _gap(results: Results, variant: str) -> str:
    gaps = results.gaps(variant)
    return points(sum(gaps) / len(gaps))


_RULES: dict[str, Callable[[Results], Lines]] = {
    "translation": translation,
    "borders": borders,
    "pooling": pooling,
    "overfitting": overfitting,
    "how-much-data": how_much_data,
    "recompile": recompile,
    "two-ways": on_base.two_ways,
    "preprocessing": on_base.preprocessing,
    "head-first": on_base.head_first,
    "depth": on_base.depth,
}
