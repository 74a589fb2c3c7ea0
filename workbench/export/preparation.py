"""Files that accompany a model in every format: its labels, and how to prepare images."""

from collections.abc import Sequence
from typing import Any

from workbench.datasets.sixteen_bit import FULL, Levels
from workbench.experiment.spec import ExperimentSpec
from workbench.text import safe_text

CARD, LABELS, PREPROCESSING = "README.md", "labels.txt", "preprocessing.json"


def preprocessing(
    spec: ExperimentSpec, labels: Sequence[str], levels: Levels | None = None
) -> dict[str, Any]:
    """Return how to prepare an image for the model, and the meaning of its output.

    Args:
        spec: of the run.
        labels: in the order of the outputs.
        levels: the values that become 0 and 255 of images with 16 bits a channel.
    """
    height, width = spec.data.image_size
    two = len(labels) == 2
    scale = levels or FULL
    return {
        "image_size": {"height": height, "width": width},
        "channels": spec.data.channels,
        "color": "RGB" if spec.data.channels == 3 else "grey, ITU-R 601-2 luma",
        "resize": spec.data.resize,
        "decode": spec.data.decode,
        "interpolation": "bilinear, over all pixels that shrink into one (Pillow)",
        "orientation": "EXIF orientation applied",
        "transparency": "laid over white",
        "sixteen_bits": {"becomes_0": scale.low, "becomes_255": scale.high},
        "input": {
            "name": "image",
            "shape": [None, height, width, spec.data.channels],
            "dtype": "float32",
            "range": [0, 255],
            "scaling": "none: rescaling is inside the model",
        },
        "output": {
            "shape": [None, 1 if two else len(labels)],
            "meaning": "probability of the second label" if two else "a probability a label",
        },
        "labels": list(labels),
    }


def format_labels(labels: Sequence[str]) -> str:
    """Return a label a line; control characters are escaped, so that a line is a label."""
    return "".join(f"{safe_text(label, 1000)}\n" for label in labels)
