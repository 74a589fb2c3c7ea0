"""Facts of a data source from a quick survey, and how its images are allocated to splits.

Presets are fitted to the facts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workbench.experiment.sections import SPLITS, SplitSpec
from workbench.messages import tr
from workbench.text import plural
from workbench.words import shown


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


def count_images(count: int, split: str) -> str:
    """Return a number of images with the split that they are of: 12 test images."""
    if split == "train":
        return plural(count, "train image")
    return plural(count, "test image") if split == "test" else plural(count, "validation image")


def list_splits(images: Mapping[str, int]) -> str:
    """Return the number of images of each split that has some: 420 train, 90 validation."""
    return ", ".join(
        tr("{count:,} {split}", count=count, split=shown(split))
        for split, count in images.items()
        if count
    )


def expected_images(facts: DataFacts, split: SplitSpec) -> dict[str, int]:
    """Return the number of images that each split will have.

    The worker allocates in the same way. Its numbers may differ by a few if images cannot be used,
    or if identical ones have to stay on one side.
    """
    own = {part: facts.split_images.get(part, 0) for part in SPLITS}
    if split.counts and not facts.user_split:
        images = {part: int(n) * facts.classes for part, n in zip(SPLITS, split.parts, strict=True)}
    elif not facts.user_split:
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


def _allocated(facts: DataFacts, images: int, parts: Sequence[float]) -> dict[str, int]:
    """Return the images of each split, allocated class by class by fractions."""
    classes = facts.class_images or (images,)
    shares = [allocate(count, parts) for count in classes]
    return dict(zip(SPLITS, map(sum, zip(*shares, strict=True)), strict=True))


def allocate(images: int, parts: Sequence[float]) -> list[int]:
    """Return the number of images of each part, by largest remainders; ties go to the first part.

    Each part with a fraction above 0 gets at least one image as long as there are enough; the
    first part comes before the others.

    Args:
        images: number of images to allocate.
        parts: fractions that add up to at most 1, at least one of them above 0.
    """
    used = min(images, round(images * math.fsum(parts) + 1e-9))
    used = max(used, min(images, sum(part > 0 for part in parts)))
    total = math.fsum(parts)
    ideal = [used * part / total for part in parts]
    quotas = [math.floor(value) for value in ideal]
    by_remainder = sorted(range(len(parts)), key=lambda i: (quotas[i] - ideal[i], i))
    for i in by_remainder[: used - sum(quotas)]:
        quotas[i] += 1
    for i, part in enumerate(parts):
        largest = max(range(len(parts)), key=lambda i: quotas[i])
        if part > 0 and quotas[i] == 0 and quotas[largest] > 1:
            quotas[largest] -= 1
            quotas[i] = 1
    if quotas[0] == 0 and used:
        quotas[max(range(len(parts)), key=lambda i: quotas[i])] -= 1
        quotas[0] = 1
    return quotas
