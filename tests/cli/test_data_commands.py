"""`workbench data scan` stays short, and names everything where it is asked to."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from workbench.cli import workbench
from workbench.datasets import audit


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three classes with one plain image each."""
    for number, label in enumerate("abc"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        pixels = np.full((20, 20, 3), number, np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / label / "1.png")
    return tmp_path / "photos"


def scanned(tmp_path: Path, photos: Path, *words: str) -> list[str]:
    command = ["--workspace", str(tmp_path), "data", "scan", str(photos), *words]
    result = CliRunner().invoke(workbench, command)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_of_many_classes_the_first_are_named_and_with_all_every_one(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MOST_CLASSES", 2)
    assert scanned(tmp_path, photos)[1:4] == ["  a: 1", "  b: 1", "  and 1 more class"]
    assert scanned(tmp_path, photos, "--all")[1:4] == ["  a: 1", "  b: 1", "  c: 1"]
