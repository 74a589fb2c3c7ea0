"""Lessons on a pretrained base: freezing, feature extraction, preprocessing, fine-tuning."""

from statistics import fmean, median

from workbench.bases.architectures import base_table
from workbench.lessons.comparison import (
    accuracy_difference,
    accuracy_sentence,
    format_accuracy,
    points,
    ratio,
    size_share,
    which_is_better,
)
from workbench.lessons.lesson import (
    BarPlot,
    Conclusion,
    Lesson,
    LessonResults,
    ResultTable,
    accuracy_bars,
    variant_bars,
)
from workbench.lessons.titles import lesson_title
from workbench.lessons.variants import (
    BASE,
    BASE_SIDE,
    LOWER_BLOCKS,
    UPPER_BLOCKS,
    LessonInputs,
    Tree,
    Variant,
    convnet,
    extraction,
    fine_tuning,
)
from workbench.messages import tr
from workbench.text import format_seconds

WAYS = ("cached", "streamed")
HEAD = "head"  # the block of the head's own layers
NO_STEP = 1e-12  # a learning rate at which float32 weights do not change


def _recompile_variants(inputs: LessonInputs) -> tuple[Variant, ...]:
    """Make the one network that `evaluation.lesson_recompile` freezes and thaws."""
    tiny: Tree = {"model": {"filters": [4], "pooling": True, "dense_units": [8]}}
    return (Variant("network", convnet(inputs, tiny), inputs.per_class(50)),)


def _recompile_conclude(results: LessonResults) -> Conclusion:
    """Check whether the layer's weights moved at all. Frozen means that none did.

    Seen: frozen and compiled the layer stays, with the compile forgotten it moves.
    """
    moved = {name: results.mean(name, "moved") for name in results.variants}
    went = {
        name: tr("moved by {size_share} of its size", size_share=size_share(share))
        if share
        else tr("stayed to the last bit")
        for name, share in moved.items()
    }
    forgotten, early = moved["frozen, compile forgotten"], moved["frozen before the first step"]
    effect = (
        tr("`trainable = False` had no effect, and Keras reported nothing.")
        if forgotten
        else tr("this Keras applies the change at once.")
    )
    settled = (
        tr("even then a compile is needed.")
        if early
        else tr("the first step after a compile fixes what trains.")
    )
    lines = (
        tr(
            "Frozen and compiled, the layer {frozen_compiled}.",
            frozen_compiled=went["frozen, compiled"],
        ),
        tr(
            "Frozen with the compile forgotten, it {frozen_compile_forgotten}: {effect}",
            frozen_compile_forgotten=went["frozen, compile forgotten"],
            effect=effect,
        ),
        tr(
            "Thawed and compiled, it {thawed_compiled}; with the compile forgotten, it "
            "{thawed_compile_forgotten}.",
            thawed_compiled=went["thawed, compiled"],
            thawed_compile_forgotten=went["thawed, compile forgotten"],
        ),
        tr(
            "Frozen after the compile but before the first step, it "
            "{frozen_before_the_first_step}: {settled}",
            frozen_before_the_first_step=went["frozen before the first step"],
            settled=settled,
        ),
    )
    return Conclusion(forgotten > 0 and moved["frozen, compiled"] == 0, lines)


def _recompile_picture(results: LessonResults) -> BarPlot:
    title = tr("how far the layer moved, relative to its size")
    return variant_bars(title, results, "moved", size_share)


def _recompile_table(results: LessonResults) -> ResultTable:
    rows = [
        (name, runs[0]["asked"], size_share(results.mean(name, "moved")))
        for name, runs in results.runs.items()
    ]
    return ResultTable(("way", "requested", "moved"), tuple(rows), "llr")


RECOMPILE = Lesson(
    name="recompile",
    title=tr("Freezing, and the compile that is forgotten"),
    question=tr("When does a change of `trainable` take effect?"),
    section="5.3.1",
    concepts=("recompiling", "freezing"),
    variants=_recompile_variants,
    conclude=_recompile_conclude,
    picture=_recompile_picture,
    table=_recompile_table,
    seeds=(1,),
)


def _two_ways_variants(inputs: LessonInputs) -> tuple[Variant, ...]:
    few = inputs.per_class(500)
    return tuple(Variant(way, extraction(inputs, {"base": {"prefix": way}}), few) for way in WAYS)


def _two_ways_conclude(results: LessonResults) -> Conclusion:
    """Compare accuracy in every epoch, and seconds.

    Seen: the same accuracy (equal, or no difference beyond the noise), and cached features take
    fewer seconds in all, beyond the noise (at least MIN_RATIO times; see `comparison`).
    """
    cached, streamed = (results.runs[way] for way in WAYS)
    same = all(a["epochs"] == b["epochs"] for a, b in zip(cached, streamed, strict=True))
    found = accuracy_difference(results, *WAYS)
    accuracy = (
        tr("Both ways give the same accuracy in every epoch, to the last digit.")
        if same
        else tr("Accuracy: {which_is_better}.", which_is_better=which_is_better(found, *WAYS))
    )
    total = [results.mean(way, "seconds") for way in WAYS]
    times = ratio(*(results.each(way, "seconds") for way in WAYS))
    epoch = [median(s for run in runs for s in run["epoch_seconds"]) for runs in (cached, streamed)]
    once = total[0] - fmean(sum(run["epoch_seconds"]) for run in cached)
    compared = times.choose(
        tr("caching was {mean:.1f} times as fast.", mean=times.mean),
        tr("caching did not pay off in so few epochs."),
        tr("no difference seen."),
    )
    lines = (
        accuracy,
        tr(
            "Cached: {once} once, then {epoch:.2f} s an epoch. Computed in every "
            "epoch: {epoch_2:.2f} s an epoch.",
            once=format_seconds(once),
            epoch=epoch[0],
            epoch_2=epoch[1],
        ),
        tr(
            "In all, {total} against {total_2} for {epochs} epochs: {compared}",
            total=format_seconds(total[0]),
            total_2=format_seconds(total[1]),
            epochs=len(cached[0]["epochs"]),
            compared=compared,
        ),
        tr("What caching cannot do: augment each image differently in every epoch."),
    )
    return Conclusion((same or not found.seen) and times.larger, lines)


def _two_ways_picture(results: LessonResults) -> BarPlot:
    return variant_bars(tr("seconds in all"), results, "seconds", format_seconds)


TWO_WAYS = Lesson(
    name="two-ways",
    title=tr("Feature extraction: computed once, or in every epoch"),
    question=tr(
        "Are the two ways of feature extraction equally accurate, and what does each cost?"
    ),
    section="5.3.1",
    concepts=("feature-extraction",),
    variants=_two_ways_variants,
    conclude=_two_ways_conclude,
    picture=_two_ways_picture,
    seeds=(1,),
    needs_base=True,
)


def _preprocessing_variants(inputs: LessonInputs) -> tuple[Variant, ...]:
    few = inputs.per_class(500)
    return tuple(
        Variant(name, extraction(inputs, {"base": {"preprocessing": way}}), few)
        for name, way in (("own", "own"), ("1/255", "rescale"))
    )


def _preprocessing_conclude(results: LessonResults) -> Conclusion:
    """Compare accuracy. Seen: the base's own preprocessing is better, beyond the noise."""
    found = accuracy_difference(results, "own", "1/255")
    reason = found.choose(
        tr(
            "The reverse of what was expected: these images may be unlike those "
            "that the weights were trained on."
        ),
        tr("Weights expect the range of values that they were trained on."),
        tr(
            "On these images the base works with either. MobileNetV2's own "
            "range is -1 to 1, not far from 0 to 1; VGG16's, which swaps the "
            "colours and subtracts means, is further off."
        ),
    )
    return Conclusion(found.smaller, (accuracy_sentence(results, "own", "1/255"), reason))


PREPROCESSING = Lesson(
    name="preprocessing",
    title=tr("The base's own preprocessing against 1/255"),
    question=tr("Does it matter how pixels are scaled for a pretrained base?"),
    section="5.3.1",
    concepts=("preprocessing",),
    variants=_preprocessing_variants,
    conclude=_preprocessing_conclude,
    picture=accuracy_bars,
    needs_base=True,
)


def _head_first_variants(inputs: LessonInputs) -> tuple[Variant, ...]:
    """Make variants whose blocks train for as many epochs; at once, the head has no others."""
    few = inputs.per_class(200)
    blocks = {"learning_rate": 1e-5, "epochs": 5}
    first = {**blocks, "head_epochs": 8, "head_learning_rate": 1e-3}
    at_once = {**blocks, "head_epochs": 1, "head_learning_rate": NO_STEP}
    return (
        Variant("head first", fine_tuning(inputs, UPPER_BLOCKS, first), few),
        Variant("at once", fine_tuning(inputs, UPPER_BLOCKS, at_once), few),
    )


def _head_first_conclude(results: LessonResults) -> Conclusion:
    """Compare how far the base's blocks moved in the second stage, and accuracy.

    Seen: at once they moved further, beyond the noise (at least MIN_RATIO times; see `comparison`).
    """
    first, at_once = (
        [fmean(share for block, share in moved.items() if block != HEAD) for moved in each]
        for each in (results.each(name, "moved") for name in ("head first", "at once"))
    )
    further = ratio(first, at_once)
    compared = further.choose(
        tr("{further}. An untrained head changes what the base has learned.", further=further),
        tr("less far ({further}), the reverse of what was expected.", further=further),
        tr("no difference seen ({further}).", further=further),
    )
    lines = (
        tr(
            "In the epochs in which they train, the upper blocks move by {size_share} "
            "of their size after a trained head, and by {size_share_2} under an "
            "untrained one: {compared}",
            size_share=size_share(fmean(first)),
            size_share_2=size_share(fmean(at_once)),
            compared=compared,
        ),
        accuracy_sentence(results, "head first", "at once"),
        tr("At once, the head has had only these epochs to learn in, at a low rate."),
    )
    return Conclusion(further.larger, lines)


def _head_first_picture(results: LessonResults) -> BarPlot:
    rows = []
    for block in results.runs["at once"][0]["moved"]:
        for name in results.variants:
            moved = fmean(run["moved"][block] for run in results.runs[name])
            rows.append((f"{block}, {name}", moved, size_share(moved)))
    return BarPlot(tr("how far each block moved while it trained"), tuple(rows))


HEAD_FIRST = Lesson(
    name="head-first",
    title=tr("Fine-tuning with and without training the head first"),
    question=tr("What does an untrained head do to the blocks below it?"),
    section="5.3.2",
    concepts=("head-first",),
    variants=_head_first_variants,
    conclude=_head_first_conclude,
    picture=_head_first_picture,
    needs_base=True,
)


def _depth_variants(inputs: LessonInputs) -> tuple[Variant, ...]:
    """Make feature extraction, and fine-tuning of parts of the base, for as many epochs."""
    few = inputs.per_class(200)
    training = {"epochs": 3, "head_epochs": 8, "learning_rate": 1e-4}
    head_only = {"epochs": 3 + 8, "batch_size": 16}
    trained = {
        "upper blocks": UPPER_BLOCKS,
        "lower blocks": LOWER_BLOCKS,
        "everything": list(base_table(BASE, (BASE_SIDE, BASE_SIDE)).blocks),
    }
    return (
        Variant("head alone", extraction(inputs, {"training": head_only}), few),
        *(
            Variant(name, fine_tuning(inputs, blocks, training), few)
            for name, blocks in trained.items()
        ),
    )


def _depth_conclude(results: LessonResults) -> Conclusion:
    """Compare with the head alone: accuracy where upper, lower or all blocks train, too.

    Seen: one of them is better or worse than the head alone, beyond the noise.
    """
    alone, *deeper = results.variants
    lines = [f"{alone}: accuracy {format_accuracy(results, alone)}."]
    seen = False
    for name in deeper:
        found = accuracy_difference(results, alone, name)
        seen |= found.seen
        epoch = median(results.runs[name][0]["epoch_seconds"][-2:])
        lines.append(
            tr(
                "{name}: accuracy {results}, {choose} ({found}); {epoch:.2f} s an epoch.",
                name=lesson_title(name),
                results=format_accuracy(results, name),
                choose=found.choose(tr("better"), tr("worse")),
                found=found,
                epoch=epoch,
            )
        )
    parts = ("lower blocks", "upper blocks")
    upper = accuracy_difference(results, *parts)
    lines.append(
        tr(
            "Upper against lower blocks: {which_is_better}.",
            which_is_better=which_is_better(upper, *parts),
        )
    )
    if not seen:
        lines.append(
            tr(
                "With {points} of noise, these images do not show which part to train.",
                points=points(upper.noise),
            )
        )
    return Conclusion(seen, tuple(lines))


DEPTH = Lesson(
    name="depth",
    title=tr("Upper blocks, lower blocks, everything"),
    question=tr("Which part of the base is worth training?"),
    section="5.3.2",
    concepts=("upper-layers", "transfer"),
    variants=_depth_variants,
    conclude=_depth_conclude,
    picture=accuracy_bars,
    seeds=(1, 2),
    needs_base=True,
)
