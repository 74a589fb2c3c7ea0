"""What a lesson consists of."""

from collections.abc import Callable
from dataclasses import dataclass

from workbench.lessons.pictures import BarPlot, CurvePlot, ResultTable, variant_table
from workbench.lessons.results import LessonResults
from workbench.lessons.variants import LessonInputs, Variant


@dataclass(frozen=True)
class Conclusion:
    """What the results show.

    Attributes:
        seen: the effect of the lesson was seen on these images.
        lines: sentences, the most important first.
    """

    seen: bool
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Lesson:
    """A claim of the chapter, to be tried on one's own images.

    Attributes:
        question: in one line.
        section: of "Deep Learning with Python", first edition.
        concepts: names of the app's explanations that belong to it.
        variants: makes the networks that are compared.
        conclude: states the conclusion from the results.
        picture: what is drawn of the results.
        table: all variants with their results.
        seeds: default seeds of weights, order and choice of images.
        shifts: whether accuracy is measured on shifted test images too.
        rings: whether the last convolution's map is measured ring by ring.
        needs_base: whether it needs a pretrained network.
    """

    name: str
    title: str
    question: str
    section: str
    concepts: tuple[str, ...]
    variants: Callable[[LessonInputs], tuple[Variant, ...]]
    conclude: Callable[[LessonResults], Conclusion]
    picture: Callable[[LessonResults], CurvePlot | BarPlot]
    table: Callable[[LessonResults], ResultTable] = variant_table
    seeds: tuple[int, ...] = (1, 2, 3)
    shifts: bool = False
    rings: bool = False
    needs_base: bool = False
