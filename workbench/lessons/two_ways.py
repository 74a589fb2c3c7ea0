"""Feature extraction: features computed once, or in every epoch."""

from statistics import fmean, median

from workbench.lessons.lesson import Conclusion, Lesson
from workbench.lessons.noise import ratio
from workbench.lessons.pictures import BarPlot, variant_bars
from workbench.lessons.results import LessonResults
from workbench.lessons.sentences import accuracy_difference, which_is_better
from workbench.lessons.variants import LessonInputs, Variant, extraction
from workbench.text import format_seconds

WAYS = ("cached", "streamed")


def _variants(inputs: LessonInputs) -> tuple[Variant, ...]:
    few = inputs.per_class(500)
    return tuple(Variant(way, extraction(inputs, {"base": {"prefix": way}}), few) for way in WAYS)


def _conclude(results: LessonResults) -> Conclusion:
    """Compare accuracy in every epoch, and seconds.

    Seen: the same accuracy (equal, or no difference beyond the noise), and cached features take
    fewer seconds in all, beyond the noise (at least MIN_RATIO times; see `noise`).
    """
    cached, streamed = (results.runs[way] for way in WAYS)
    same = all(a["epochs"] == b["epochs"] for a, b in zip(cached, streamed, strict=True))
    found = accuracy_difference(results, *WAYS)
    accuracy = (
        "Both ways give the same accuracy in every epoch, to the last digit."
        if same
        else f"Accuracy: {which_is_better(found, *WAYS)}."
    )
    total = [results.mean(way, "seconds") for way in WAYS]
    times = ratio(*(results.each(way, "seconds") for way in WAYS))
    epoch = [median(s for run in runs for s in run["epoch_seconds"]) for runs in (cached, streamed)]
    once = total[0] - fmean(sum(run["epoch_seconds"]) for run in cached)
    compared = times.choose(
        f"caching was {times.mean:.1f} times as fast.",
        "caching did not pay off in so few epochs.",
        "no difference seen.",
    )
    lines = (
        accuracy,
        f"Cached: {format_seconds(once)} once, then {epoch[0]:.2f} s an epoch. Computed in every "
        f"epoch: {epoch[1]:.2f} s an epoch.",
        f"In all, {format_seconds(total[0])} against {format_seconds(total[1])} for "
        f"{len(cached[0]['epochs'])} epochs: {compared}",
        "What caching cannot do: augment each image differently in every epoch.",
    )
    return Conclusion((same or not found.seen) and times.larger, lines)


def _picture(results: LessonResults) -> BarPlot:
    return variant_bars("seconds in all", results, "seconds", format_seconds)


LESSON = Lesson(
    name="two-ways",
    title="Feature extraction: computed once, or in every epoch",
    question="Are the two ways of feature extraction equally accurate, and what does each cost?",
    section="5.3.1",
    concepts=("feature-extraction",),
    variants=_variants,
    conclude=_conclude,
    picture=_picture,
    seeds=(1,),
    needs_base=True,
)
