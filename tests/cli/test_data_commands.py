"""`workbench data scan` is short, and complete with --all."""

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
    monkeypatch.setattr(audit, "MAX_CLASSES", 2)
    assert scanned(tmp_path, photos)[1:4] == ["  a: 1", "  b: 1", "  and 1 more class"]
    assert scanned(tmp_path, photos, "--all")[1:4] == ["  a: 1", "  b: 1", "  c: 1"]


def test_class_folders_named_by_digits_of_other_scripts(tmp_path: Path, photos: Path) -> None:
    (photos / "a").rename(photos / "②")
    (photos / "b").rename(photos / "①")
    assert scanned(tmp_path, photos)[1:4] == ["  c: 1", "  ①: 1", "  ②: 1"]


def test_a_layout_that_is_doubted_is_a_warning_of_the_scan(tmp_path: Path, photos: Path) -> None:
    for part in ("learn", "check"):
        for label in ("a", "b"):
            (photos / part / label).mkdir(parents=True)
            (photos / part / label / "1.png").write_bytes((photos / label / "1.png").read_bytes())
    warned = [line for line in scanned(tmp_path, photos) if "folders of the same names" in line]
    assert [line.partition(" (")[0] for line in warned] == ["warning: 2 class folders"]
    assert "(check, learn) hold folders of the same names (a, b)" in warned[0]
