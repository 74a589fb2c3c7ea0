"""Freezing, and the compile that is forgotten (`evaluation.lessons` runs it)."""

from workbench.lessons.lesson import Conclusion, Lesson
from workbench.lessons.pictures import BarPlot, ResultTable, variant_bars
from workbench.lessons.results import LessonResults
from workbench.lessons.sentences import size_share
from workbench.lessons.variants import LessonInputs, Tree, Variant, convnet


def _variants(inputs: LessonInputs) -> tuple[Variant, ...]:
    tiny: Tree = {"model": {"filters": [4], "pooling": True, "dense_units": [8]}}
    return (Variant("network", convnet(inputs, tiny), inputs.per_class(50)),)


def _conclude(results: LessonResults) -> Conclusion:
    """Check whether the layer's weights moved at all. Frozen means that none did.

    Seen: frozen and compiled the layer stays, with the compile forgotten it moves.
    """
    moved = {name: results.mean(name, "moved") for name in results.variants}
    went = {
        name: f"moved by {size_share(share)} of its size" if share else "stayed to the last bit"
        for name, share in moved.items()
    }
    forgotten, early = moved["frozen, compile forgotten"], moved["frozen before the first step"]
    effect = (
        "`trainable = False` had no effect, and Keras reported nothing."
        if forgotten
        else "this Keras applies the change at once."
    )
    settled = (
        "even then a compile is needed."
        if early
        else "the first step after a compile fixes what trains."
    )
    lines = (
        f"Frozen and compiled, the layer {went['frozen, compiled']}.",
        f"Frozen with the compile forgotten, it {went['frozen, compile forgotten']}: {effect}",
        f"Thawed and compiled, it {went['thawed, compiled']}; with the compile forgotten, it "
        f"{went['thawed, compile forgotten']}.",
        f"Frozen after the compile but before the first step, it "
        f"{went['frozen before the first step']}: {settled}",
    )
    return Conclusion(forgotten > 0 and moved["frozen, compiled"] == 0, lines)


def _picture(results: LessonResults) -> BarPlot:
    title = "how far the layer moved, relative to its size"
    return variant_bars(title, results, "moved", size_share)


def _table(results: LessonResults) -> ResultTable:
    rows = [
        (name, runs[0]["asked"], size_share(results.mean(name, "moved")))
        for name, runs in results.runs.items()
    ]
    return ResultTable(("way", "requested", "moved"), tuple(rows), "llr")


LESSON = Lesson(
    name="recompile",
    title="Freezing, and the compile that is forgotten",
    question="When does a change of `trainable` take effect?",
    section="5.3.1",
    concepts=("recompiling", "freezing"),
    variants=_variants,
    conclude=_conclude,
    picture=_picture,
    table=_table,
    seeds=(1,),
)
