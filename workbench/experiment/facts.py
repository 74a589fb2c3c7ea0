"""What a quick look at a data source tells; presets are fitted to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.experiment.allocate import share_out
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
        class_images: images of each class that are to be shared out: all of them, only those to
            train on where the data comes with a split; () where that is not known.
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
    """How many images each split will have.

    The worker shares out likewise. It may come to others by a few where images cannot be used, or
    where those with the same pixels have to stay on one side.
    """
    own = {part: facts.split_images.get(part, 0) for part in SPLITS}
    if not facts.user_split:
        images = _shared_out(facts, facts.images, split.parts)
    elif own["validation"] or not split.validation:
        images = own
    elif isinstance(split.validation, int):
        taken = min(split.validation * facts.classes, own["train"] - 1)
        images = {**own, "train": own["train"] - taken, "validation": taken}
    else:
        parts = (1.0 - split.validation, split.validation, 0.0)
        images = {**_shared_out(facts, own["train"], parts), "test": own["test"]}
    return {**images, "train": max(images["train"], 1)}


def _shared_out(
    facts: DataFacts, images: int, parts: tuple[float | int, float | int, float | int]
) -> dict[str, int]:
    """Images of each split after each class was shared out: counted, or by fractions."""
    if any(isinstance(part, int) and part > 0 for part in parts):
        return {part: int(n) * facts.classes for part, n in zip(SPLITS, parts, strict=True)}
    classes = facts.class_images or (images,)
    shares = [share_out(count, [float(part) for part in parts]) for count in classes]
    return dict(zip(SPLITS, map(sum, zip(*shares, strict=True)), strict=True))
