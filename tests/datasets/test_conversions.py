"""Downloaded files become images: idx files and the digits of scikit-learn."""

import io
import struct
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench.datasets.sources import conversions
from workbench.datasets.sources.catalogue import CATALOGUE, fetch
from workbench.datasets.sources.conversions import read_idx
from workbench.errors import UserError
from workbench.paths import Workspace


def idx(values: bytes, *shape: int, kind: int = 8, zeros: int = 0) -> io.BytesIO:
    return io.BytesIO(struct.pack(f">HBB{len(shape)}I", zeros, kind, len(shape), *shape) + values)


def test_images_and_labels_have_the_shape_of_the_header() -> None:
    images = read_idx(idx(bytes(range(12)), 2, 3, 2), "images")
    assert images.dtype == np.uint8
    assert images.tolist() == [[[0, 1], [2, 3], [4, 5]], [[6, 7], [8, 9], [10, 11]]]
    assert read_idx(idx(b"\x07\x00\xff", 3), "labels").tolist() == [7, 0, 255]
    assert read_idx(idx(b"", 0), "none").shape == (0,)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (io.BytesIO(b""), "it ends early (0 bytes of 4)"),
        (io.BytesIO(b"\0\0\x08"), "it ends early (3 bytes of 4)"),
        (io.BytesIO(b"\0\0\x08\x02\0\0\0\x01"), "it ends early (4 bytes of 8)"),
        (idx(b"abc", 4), "it ends early (3 bytes of 4)"),
        (idx(b"abcde", 4), "it continues after the 4 values of its header"),
        (idx(b"abcd", 4, zeros=1), "it does not start like an idx file"),
        (idx(b"abcd"), "it does not start like an idx file"),
        (idx(b"a", 1, 1, 1, 1, 1), "it does not start like an idx file"),
        (idx(b"abcd", 1, kind=0x0D), "its values are of type 0x0d, not unsigned bytes (0x08)"),
        (
            idx(b"", 0xFFFFFFFF, 0xFFFFFFFF),
            "its header announces 18,446,744,065,119,617,025 values",
        ),
        (
            idx(b"", 2**30 + 1),
            "its header announces 1,073,741,825 values, the limit is 1,073,741,824",
        ),
    ],
)
def test_a_broken_file_is_refused_by_name(file: io.BytesIO, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_idx(file, "bad\x1b.gz")
    assert message in caught.value.message
    assert caught.value.message.startswith("bad\\e.gz cannot be read: ")


def test_four_dimensions_are_the_most() -> None:
    assert read_idx(idx(b"ab", 1, 2, 1, 1), "file").shape == (1, 2, 1, 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, int, int]]]:
    steps: list[tuple[str, int, int]] = []
    workspace = Workspace(tmp_path_factory.mktemp("workspace"))
    return fetch("digits", workspace, lambda *step: steps.append(step)), steps


def test_there_is_a_folder_of_images_for_each_digit(
    made: tuple[Path, list[tuple[str, int, int]]],
) -> None:
    folder, _ = made
    assert folder.parts[-3:] == ("data", "digits", "source")
    assert sorted(p.name for p in folder.parent.iterdir()) == [".fetch.lock", "source"]
    counts = Counter(path.parent.name for path in folder.glob("*/*.png"))
    # What sklearn.datasets.load_digits documents: 1,797 images, about 180 a class.
    assert counts == dict(
        zip("0123456789", (178, 182, 177, 183, 181, 182, 181, 179, 174, 180), strict=True)
    )
    assert counts.total() == CATALOGUE["digits"].images


def test_each_is_28x28_grey_with_a_black_margin(
    made: tuple[Path, list[tuple[str, int, int]]],
) -> None:
    folder, _ = made
    for path in [folder / "0" / "digit-0000.png", folder / "8" / "digit-1796.png"]:
        with Image.open(path) as image:
            assert (image.mode, image.size) == ("L", (28, 28))
            pixels = np.asarray(image)
        assert pixels.max() > 200
        margin = pixels.copy()
        margin[4:24, 4:24] = 0
        assert not margin.any()


def test_progress_reports_the_loading_and_each_image(
    made: tuple[Path, list[tuple[str, int, int]]],
) -> None:
    _, steps = made
    assert steps[0] == ("load the digits", 0, 0)
    assert steps[1] == ("write the digits", 1, 1797)
    assert steps[-1] == ("write the digits", 1797, 1797)


def test_what_is_complete_is_used_again(
    made: tuple[Path, list[tuple[str, int, int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = made
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert fetch("digits", Workspace(folder.parents[2])) == folder


def test_sixteen_is_white_and_zero_is_black() -> None:
    assert np.asarray(conversions.enlarge_digit(np.zeros((8, 8), np.uint8))).max() == 0
    full = np.asarray(conversions.enlarge_digit(np.full((8, 8), 16, np.uint8)))
    assert (full[4:24, 4:24] == 255).all()
    assert full.sum() == 20 * 20 * 255


def test_an_interruption_leaves_nothing_and_the_next_start_is_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ink = np.zeros((3, 8, 8), np.uint8)
    monkeypatch.setattr(conversions, "_load_digits", lambda: (ink, np.array([0, 1, 1])))

    def interrupt(phase: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    home = tmp_path / "data" / "digits"
    with pytest.raises(KeyboardInterrupt):
        fetch("digits", Workspace(tmp_path), interrupt)
    assert [path.name for path in home.iterdir()] == [".fetch.lock"]
    (home / "source.new").mkdir()  # as a killed process leaves it
    (home / "source.new" / "0").mkdir()
    folder = fetch("digits", Workspace(tmp_path))
    assert len(list(folder.glob("*/*.png"))) == 3
    assert sorted(path.name for path in home.iterdir()) == [".fetch.lock", "source"]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("raise ModuleNotFoundError(\"No module named 'sklearn'\")", "No module named 'sklearn'"),
        ("import os; os._exit(3)", "it ended with code 3"),
    ],
)
def test_a_missing_or_broken_scikit_learn_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, expected: str
) -> None:
    monkeypatch.setattr(conversions, "_LOAD", script)
    with pytest.raises(UserError) as caught:
        fetch("digits", Workspace(tmp_path))
    assert expected in caught.value.message
    assert "pip install --force-reinstall scikit-learn" in caught.value.hint


def test_one_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversions, "_LOAD", "import signal; signal.pause()")
    monkeypatch.setattr(conversions, "_LOAD_SECONDS", 0.2)
    with pytest.raises(UserError, match=r"it did not load within 0\.2 seconds"):
        fetch("digits", Workspace(tmp_path))


def test_a_file_of_that_name_in_the_current_folder_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wanted.py").write_text("raise RuntimeError('mine')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(conversions, "_LOAD", "import wanted")
    with pytest.raises(UserError, match="No module named 'wanted'"):
        fetch("digits", Workspace(tmp_path))
