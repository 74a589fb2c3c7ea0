"""What happens to an image before a network sees it, step by step, on a real file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workbench.datasets.deep import Deep
from workbench.datasets.images import ImageError, open_image, pixels, to_array
from workbench.experiment.sections import DataSpec
from workbench.text import human_bytes, human_size


@dataclass(frozen=True)
class Step:
    """One step: its name, what is there afterwards, and the range of the values."""

    name: str
    what: str
    values: str = ""


@dataclass(frozen=True)
class Look:
    """A file looked at.

    Attributes:
        steps: what becomes of it; the last one says why where it cannot be used.
    """

    path: Path
    steps: tuple[Step, ...]


def look_through(path: Path, data: DataSpec) -> Look:
    """Does to a file what training does, and tells what is there after every step.

    Args:
        data: the size and the channels that the network takes.
    """
    steps: list[Step] = []
    try:
        size = path.stat().st_size
        with open_image(path) as (opened, header):
            steps.append(Step("read", f"{human_bytes(size)} of {header.format}"))
            found = pixels(opened, header)
        if isinstance(found, Deep):
            values = found.values()
            steps.append(Step("decode", f"{_size(values)} uint16", _range(values)))
            image = found.to_show()
        else:
            image = found
        whole = np.asarray(image)
        name = "scale" if isinstance(found, Deep) else "decode"
        steps.append(Step(name, f"{_size(whole)} uint8", _range(whole)))
        array = to_array(image, data.image_size, data.channels, data.resize)
        if _size(array) != _size(whole):
            steps.append(Step("resize", f"{human_size(array.shape)} uint8", _range(array)))
        numbers = array.astype(np.float32)
        steps.append(Step("float", f"{human_size(array.shape)} float32", _range(numbers)))
        steps.append(Step("rescale", "all x 1/255", _range(numbers / np.float32(255))))
    except (ImageError, OSError) as error:
        reason = error.reason if isinstance(error, ImageError) else (error.strerror or str(error))
        return Look(path, (*steps, Step("left out", reason)))
    return Look(path, tuple(steps))


def _size(values: np.ndarray) -> str:
    return human_size(values.shape if values.ndim == 3 else (*values.shape, 1))


def _range(values: np.ndarray) -> str:
    low, high = values.min(), values.max()
    if values.dtype.kind == "u":
        return f"{low} to {high}"
    return f"{low:.3f} to {high:.3f}" if high <= 1 else f"{low:.1f} to {high:.1f}"
