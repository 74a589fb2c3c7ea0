"""What a quick look at a data source tells; presets are fitted to it."""

from dataclasses import dataclass


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
    """

    image_size: tuple[int, int]
    uniform: bool
    channels: int
    classes: int
    images: int
    smallest_class: int
    user_split: bool
