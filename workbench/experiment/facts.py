"""Facts of a data source from a quick survey; presets are fitted to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.experiment.allocate import allocate
from workbench.experiment.sections import SplitSpec

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class DataFacts:
    """A sample's summary of a data source.

    Attributes:
        image_size: median (height, width) in pixels.
        uniform: True if all sampled images have one size.
        channels: 1 if all sampled images are grey, else 3.
        classes: number of labels.
        images: number of images, all splits.
        smallest_class: number of images of the rarest label, all splits.
        user_split: True if the data has a split of its own.
        split_images: images of each part of that split.
        class_images: images of each class to allocate: all of them, only the training images if
            the data has a split; () if unknown.
    """

    image_size: tuple[int, int]
    uniform: bool
    channels: int
    classes: int
    images: int
    smallest_class: int
    user_split: bool
    split_images: Mapping[str, int] = field(default_factory=dict)
    class_images: tuple[int, ...] = ()


def expected_images(facts: DataFacts, split: SplitSpec) -> dict[str, int]:
    """Return the number of images that each split will have.

    The worker allocates in the same way. Its numbers may differ by a few if images cannot be used,
    or if identical ones have to stay on one side.
    """
    own = {part: facts.split_images.get(part, 0) for part in SPLITS}
    if not facts.user_split:
        images = _allocated(facts, facts.images, split.parts)
    elif own["validation"] or not split.validation:
        images = own
    elif isinstance(split.validation, int):
        taken = min(split.validation * facts.classes, own["train"] - 1)
        images = {**own, "train": own["train"] - taken, "validation": taken}
    else:
        parts = (1.0 - split.validation, split.validation, 0.0)
        images = {**_allocated(facts, own["train"], parts), "test": own["test"]}
    return {**images, "train": max(images["train"], 1)}


def _allocated(
    facts: DataFacts, images: int, parts: tuple[float | int, float | int, float | int]
) -> dict[str, int]:
    """Return the images of each split, allocated class by class: by counts or by fractions."""
    if any(isinstance(part, int) and part > 0 for part in parts):
        return {part: int(n) * facts.classes for part, n in zip(SPLITS, parts, strict=True)}
    classes = facts.class_images or (images,)
    shares = [allocate(count, [float(part) for part in parts]) for count in classes]
    return dict(zip(SPLITS, map(sum, zip(*shares, strict=True)), strict=True))
