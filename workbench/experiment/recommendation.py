"""Which strategy to begin with, from the facts of the data."""

from dataclasses import dataclass

from workbench.experiment.facts import DataFacts
from workbench.text import plural

SMALL_PICTURES = 64  # pixels of the longer side up to which pictures are drawings, not photographs
FEW_A_CLASS = 1000  # images of the rarest class below which photographs are few
MANY_A_CLASS = 5000  # from which a network can learn its own features


@dataclass(frozen=True)
class Recommendation:
    """The preset to begin with, and why."""

    preset: str
    why: str


def recommend(facts: DataFacts) -> Recommendation:
    """Return the strategy to begin with."""
    rarest = plural(facts.smallest_class, "image")
    height, width = facts.image_size
    if max(height, width) <= SMALL_PICTURES:
        return Recommendation(
            "convnet",
            f"Images of {height}x{width} are unlike the photographs that pretrained networks "
            "know, and a convnet of your own learns them fast.",
        )
    if facts.smallest_class >= MANY_A_CLASS:
        return Recommendation(
            "fine-tuning",
            f"Every class has {rarest} or more: enough to adapt a pretrained network to them.",
        )
    much = "few" if facts.smallest_class < FEW_A_CLASS else "not many"
    return Recommendation(
        "feature-extraction",
        f"The rarest class has {rarest}: {much} for a network trained from scratch, plenty "
        "for a pretrained one.",
    )
