"""What a worker said of images: how many, and a row for each. Pure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from workbench.text import safe_text

LABEL, PROBABILITY = 20, 11  # cells of the first two columns


def prediction_cells(one: Mapping[str, Any], asked: Path) -> list[Text]:
    """An image that a worker looked at, as a row: label, probability, file.

    Args:
        asked: what was to be predicted; of images in this folder its path is left out.
    """
    told = one.get("problem")
    label = "unreadable" if told else safe_text(one.get("label"), LABEL)
    probability = "-" if told else f"{one.get('probability', 0.0):.3f}"
    path = safe_text(str(one.get("path")).removeprefix(f"{asked}/"), 200)
    return [
        Text(label, "italic" if told else ""),
        Text(probability, justify="right"),
        Text(f"{path}: {safe_text(told, 300)}" if told else path),
    ]


def answer_in_words(found: Sequence[Mapping[str, Any]], most: int) -> str:
    """How many images were predicted, and how many could not be read.

    Args:
        most: how many are shown.
    """
    bad = sum(bool(one.get("problem")) for one in found)
    words = f"{len(found) - bad:,} predicted" + (f", {bad:,} unreadable" if bad else "")
    if len(found) > most:
        words += f"; the first {most:,} are shown. All: workbench predict PATH --csv"
    return words
