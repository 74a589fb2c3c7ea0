"""What happens to an image before a network sees it, step by step, for a real file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.text import Text

from workbench.datasets.decoding import decode_opened, to_array
from workbench.datasets.image_files import ImageError, open_image
from workbench.datasets.sixteen_bit import SixteenBitImage
from workbench.experiment.sections import DataSpec
from workbench.text import format_bytes, format_shape, safe_text

_NAME, _RESULT = 8, 18  # cells of a step's name and result


@dataclass(frozen=True)
class ImageStep:
    """One step: its name, its result, and the range of the values."""

    name: str
    result: str
    values: str = ""


@dataclass(frozen=True)
class ImageSteps:
    """The steps of a file; if it cannot be used, the last one is the reason."""

    path: Path
    steps: tuple[ImageStep, ...]


def image_steps(path: Path, data: DataSpec) -> ImageSteps:
    """Process a file as training does, and record the result of each step.

    Args:
        path: of the image.
        data: size and channels of the network's input.
    """
    steps: list[ImageStep] = []
    try:
        size = path.stat().st_size
        with open_image(path) as (opened, header):
            steps.append(ImageStep("read", f"{format_bytes(size)} of {header.format}"))
            found = decode_opened(opened, header)
        if isinstance(found, SixteenBitImage):
            values = found.values()
            steps.append(ImageStep("decode", f"{_size(values)} uint16", _range(values)))
            image = found.for_display()
        else:
            image = found
        whole = np.asarray(image)
        name = "scale" if isinstance(found, SixteenBitImage) else "decode"
        steps.append(ImageStep(name, f"{_size(whole)} uint8", _range(whole)))
        array = to_array(image, data.image_size, data.channels, data.resize)
        if _size(array) != _size(whole):
            steps.append(ImageStep("resize", f"{format_shape(array.shape)} uint8", _range(array)))
        numbers = array.astype(np.float32)
        steps.append(ImageStep("float", f"{format_shape(array.shape)} float32", _range(numbers)))
        steps.append(ImageStep("rescale", "all x 1/255", _range(numbers / np.float32(255))))
    except (ImageError, OSError) as error:
        reason = error.reason if isinstance(error, ImageError) else (error.strerror or str(error))
        steps.append(ImageStep("skipped", reason))
    return ImageSteps(path, tuple(steps))


def _size(values: np.ndarray) -> str:
    return format_shape(values.shape if values.ndim == 3 else (*values.shape, 1))


def _range(values: np.ndarray) -> str:
    low, high = values.min(), values.max()
    if values.dtype.kind == "u":
        return f"{low} to {high}"
    return f"{low:.3f} to {high:.3f}" if high <= 1 else f"{low:.1f} to {high:.1f}"


def format_steps(image: ImageSteps, network: str) -> Text:
    """Return the steps of an image, one a line.

    Args:
        image: the file and its steps.
        network: whose input size the images get, such as "a pretrained base".
    """
    text = Text("", style="dim")
    text.append(safe_text(image.path.name, 18), style="not dim")
    text.append(f" for {network}")
    for step in image.steps:
        text.append(f"\n{step.name:<{_NAME}} ", style="bold not dim")
        result = safe_text(step.result, 60)
        line = f"{result:<{_RESULT}} {step.values}" if step.values else result
        text.append(line, style="not dim")
    return text
