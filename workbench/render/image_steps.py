"""What happens to an image on its way into a network, step by step, as training does it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.text import Text

from workbench.datasets.decoding import decode_opened, to_array
from workbench.datasets.image_files import ImageError, open_image
from workbench.datasets.sixteen_bit import SixteenBitImage
from workbench.experiment.sections import DataSpec
from workbench.messages import tr
from workbench.text import cell_width, format_bytes, format_shape, pad_cells, safe_text

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


def image_steps(path: Path, data: DataSpec, own: bool = False) -> ImageSteps:
    """Process a file as training does, and record the result of each step.

    Args:
        path: of the image.
        data: size and channels of the network's input.
        own: whether a base has its own preprocessing, inside the network, instead of 1/255.
    """
    steps: list[ImageStep] = []
    try:
        size = path.stat().st_size
        with open_image(path) as (opened, header):
            steps.append(
                ImageStep(
                    tr("read"),
                    tr("{size} of {format}", size=format_bytes(size), format=header.format),
                )
            )
            found = decode_opened(opened, header)
        if isinstance(found, SixteenBitImage):
            values = found.values()
            steps.append(
                ImageStep(tr("decode"), tr("{values} uint16", values=_size(values)), _range(values))
            )
            image = found.for_display()
        else:
            image = found
        whole = np.asarray(image)
        name = tr("scale") if isinstance(found, SixteenBitImage) else tr("decode")
        steps.append(ImageStep(name, tr("{whole} uint8", whole=_size(whole)), _range(whole)))
        array = to_array(image, data.image_size, data.channels, data.resize)
        if _size(array) != _size(whole):
            steps.append(
                ImageStep(
                    tr("resize"),
                    tr("{array_shape} uint8", array_shape=format_shape(array.shape)),
                    _range(array),
                )
            )
        numbers = array.astype(np.float32)
        steps.append(
            ImageStep(
                tr("float"),
                tr("{array_shape} float32", array_shape=format_shape(array.shape)),
                _range(numbers),
            )
        )
        if own:
            steps.append(ImageStep(tr("rescale"), tr("as the base was trained")))
        else:
            scaled = _range(numbers / np.float32(255))
            steps.append(ImageStep(tr("rescale"), tr("all x 1/255"), scaled))
    except (ImageError, OSError) as error:
        reason = error.reason if isinstance(error, ImageError) else (error.strerror or str(error))
        steps.append(ImageStep(tr("skipped"), reason))
    return ImageSteps(path, tuple(steps))


def _size(values: np.ndarray) -> str:
    return format_shape(values.shape if values.ndim == 3 else (*values.shape, 1))


def _range(values: np.ndarray) -> str:
    low, high = values.min(), values.max()
    if values.dtype.kind == "u":
        return tr("{low} to {high}", low=low, high=high)
    return (
        tr("{low:.3f} to {high:.3f}", low=low, high=high)
        if high <= 1
        else tr("{low:.1f} to {high:.1f}", low=low, high=high)
    )


def format_steps(image: ImageSteps, network: str, width: int) -> Text:
    """Return the steps of an image, one a line.

    Args:
        image: the file and its steps.
        network: whose input size the images get, such as "a pretrained base".
        width: cells of a line.
    """
    text, network = Text("", style="dim"), " " + tr("for {network}", network=network)
    name = safe_text(image.path.name, max(width - cell_width(network), 18))
    text.append(name, style="not dim")
    text.append(network)
    for step in image.steps:
        text.append(f"\n{pad_cells(step.name, _NAME)} ", style="bold not dim")
        result = safe_text(step.result, 60)
        line = f"{pad_cells(result, _RESULT)} {step.values}" if step.values else result
        text.append(line, style="not dim")
    return text
