"""A workspace with tiny images, and one with a trained run."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from person import Person
from PIL import Image
from probe_run import PROBE


def make_photos(photos: Path) -> None:
    """Save 30 images each of light and dark, easy to classify."""
    rng = np.random.default_rng(1)
    for label, level in (("dark", 40), ("light", 200)):
        folder = photos / label
        folder.mkdir(parents=True)
        for number in range(30):
            pixels = rng.integers(level - 30, level + 30, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{label}-{number}.png")


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """With photos/light and photos/dark."""
    make_photos(tmp_path / "photos")
    return Person(tmp_path)


@pytest.fixture(scope="session")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Train the probe once; return its workspace and a copy of it."""
    workspace = tmp_path_factory.mktemp("probe")
    make_photos(workspace / "photos")
    Person(workspace).types(*PROBE)
    return workspace, shutil.copytree(workspace, workspace.with_name("probe-kept"))


@pytest.fixture
def probed(_trained: tuple[Path, Path]) -> Iterator[Person]:
    """With photos and the run "probe" on them; what a test changes there is undone after it."""
    workspace, kept = _trained
    yield Person(workspace)
    shutil.rmtree(workspace)
    shutil.copytree(kept, workspace)
