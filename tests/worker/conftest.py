"""A workspace with tiny images."""

from pathlib import Path

import numpy as np
import pytest
from person import Person
from PIL import Image


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """With photos/light and photos/dark: 30 images each, easy to classify."""
    rng = np.random.default_rng(1)
    for label, level in (("dark", 40), ("light", 200)):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for number in range(30):
            pixels = rng.integers(level - 30, level + 30, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{label}-{number}.png")
    return Person(tmp_path)
