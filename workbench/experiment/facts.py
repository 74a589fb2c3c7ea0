"""What a quick look at a data source tells; presets are fitted to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.experiment.sections import SplitSpec

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class DataFacts:
    """A sample's summary of a data source.

    Attributes:
        image_size: median (height, width) in pixels.
        uniform: True where all sampled images have one size.
        channels: 1 where all sampled images are grey, else 3.
        classes: number of labels.
        images: number of images, all splits.
        smallest_class: number of images of the rarest label, all splits.
        user_split: True where the data comes with a split of its own.
        split_images: images of each split that it comes with.
    """

    image_size: tuple[int, int]
    uniform: bool
    channels: int
    classes: int
    images: int
    smallest_class: int
    user_split: bool
    split_images: Mapping[str, int] = field(default_factory=dict)


def expected_images(facts: DataFacts, split: SplitSpec) -> dict[str, int]:
    """About how many images each split will have; the scan may find some that cannot be used."""
    if not facts.user_split:
        if split.counts:
            shares = {
                part: int(n) * facts.classes for part, n in zip(SPLITS, split.parts, strict=True)
            }
        else:
            parts = zip(SPLITS, split.parts, strict=True)
            shares = {part: round(share * facts.images) for part, share in parts}
        return {**shares, "train": max(shares["train"], 1)}
    own = {part: facts.split_images.get(part, 0) for part in SPLITS}
    if not own["validation"] and split.validation:
        counted = isinstance(split.validation, int)
        taken = (
            split.validation * facts.classes if counted else round(split.validation * own["train"])
        )
        taken = min(int(taken), own["train"] - 1)
        own = {**own, "train": own["train"] - taken, "validation": taken}
    return {**own, "train": max(own["train"], 1)}
