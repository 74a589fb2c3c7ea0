"""npz files as Keras's mnist.npz; foreign and damaged ones are refused."""

import tracemalloc
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from workbench.datasets.sources.npz import NpzImages, image_keys
from workbench.datasets.sources.opening import open_source
from workbench.datasets.sources.source import Item
from workbench.errors import UserError


def arrays(**changes: Any) -> dict[str, Any]:
    images = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
    good = {
        "x_train": images[:3],
        "y_train": np.array([0, 1, 10]),
        "x_test": images[3:],
        "y_test": np.array([1, 0]),
    }
    return {key: value for key, value in {**good, **changes}.items() if value is not None}


def write(path: Path, **changes: Any) -> Path:
    np.savez(path, **arrays(**changes))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as refused:
        open_source(path)
    assert "Expected: x_train" in refused.value.hint
    return refused.value.message


def test_parts_become_splits(tmp_path: Path) -> None:
    found = open_source(write(tmp_path / "tiny.npz"))
    assert (found.root, found.kind, found.user_split) == (tmp_path / "tiny.npz", "npz", True)
    assert found.items[0] == Item("test/00000", "1")
    assert found.items[-1] == Item("train/00002", "10")
    assert [item.split for item in found.items] == ["test"] * 2 + ["train"] * 3
    assert found.labels == ("0", "1", "10")


def test_the_only_file_of_a_folder_is_found(tmp_path: Path) -> None:
    write(tmp_path / "tiny.npz")
    assert open_source(tmp_path).root == tmp_path / "tiny.npz"


def test_keys_sort_as_numbers_do() -> None:
    assert image_keys("train", 2) == ["train/00000", "train/00001"]
    assert image_keys("train", 100_001)[-2:] == ["train/099999", "train/100000"]


def test_labels_may_have_names(tmp_path: Path) -> None:
    names = np.array([f"class {n}" for n in range(11)])
    assert open_source(write(tmp_path / "a.npz", label_names=names)).labels == (
        "class 0",
        "class 1",
        "class 10",
    )
    short = write(tmp_path / "b.npz", label_names=names[:10])
    assert "label_names does not name all labels of y_train" in refusal(short)


def test_labels_may_be_text_or_a_column(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.npz", y_train=np.array(["a", "b", "a"]), y_test=np.array([["a"], ["b"]])
    )
    assert open_source(path).labels == ("a", "b")


def test_images_are_read_grey_and_in_colour(tmp_path: Path) -> None:
    grey = NpzImages(write(tmp_path / "grey.npz"))
    assert grey.array("train/00001").tolist() == arrays()["x_train"][1].tolist()
    assert grey.image("test/00000").mode == "L"
    column = NpzImages(write(tmp_path / "column.npz", x_test=np.zeros((2, 4, 3, 1), np.uint8)))
    assert column.array("test/00001").shape == (4, 3)
    colour = NpzImages(write(tmp_path / "colour.npz", x_test=np.zeros((2, 4, 5, 3), np.uint8)))
    assert (colour.image("test/00001").mode, colour.image("test/00001").size) == ("RGB", (5, 4))
    with pytest.raises(KeyError):
        grey.array("test/00002")


STORED = {"stored": np.savez, "compressed": np.savez_compressed}


@pytest.mark.parametrize("saved", STORED)
@pytest.mark.parametrize("order", ["C", "F"])
def test_images_are_the_same_however_they_are_stored(
    tmp_path: Path, saved: str, order: Literal["C", "F"]
) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (50, 9, 7, 3), np.uint8)
    labels = np.arange(50)
    STORED[saved](
        tmp_path / "a.npz",
        x_train=np.asarray(pixels, order=order),
        y_train=labels,
        x_test=pixels[:1],
        y_test=labels[:1],
    )
    images = NpzImages(tmp_path / "a.npz")
    for number in (*range(50), 7, 49, 0):
        assert (images.array(f"train/{number:05}") == pixels[number]).all()
    assert (images.array("test/00000") == pixels[0]).all()


def test_not_all_images_are_held_at_once(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (64, 256, 256), np.uint8)  # 4 MiB
    np.savez(tmp_path / "a.npz", x_train=pixels, y_train=range(64), x_test=pixels[:1], y_test=[0])
    tracemalloc.start()
    images = NpzImages(tmp_path / "a.npz")
    total = sum(int(images.array(key).sum()) for key in image_keys("train", 64))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == pixels.sum()
    assert peak < pixels.nbytes // 4


def test_damage_among_the_images_is_reported_when_it_is_read(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 64), np.uint8)
    path = tmp_path / "a.npz"
    np.savez(path, x_train=pixels, y_train=range(64), x_test=pixels[:1], y_test=[0])
    content = bytearray(path.read_bytes())
    place = content.index(pixels[32].tobytes())
    content[place] ^= 1
    path.write_bytes(content)
    images = NpzImages(path)
    assert (images.array("train/00000") == pixels[0]).all()
    with pytest.raises(UserError, match="cannot be used: it is damaged"):
        images.array("train/00063")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"y_test": None}, "it lacks y_test; it holds x_test, x_train, y_train"),
        ({"x_train": np.zeros((3, 4, 3), np.float32)}, "x_train is float32, not uint8"),
        ({"x_train": np.zeros((3, 12), np.uint8)}, "x_train has the shape (3, 12)"),
        ({"x_train": np.zeros((3, 4, 3, 2), np.uint8)}, "x_train has the shape (3, 4, 3, 2)"),
        ({"x_train": np.zeros((3, 0, 3), np.uint8)}, "x_train has the shape (3, 0, 3)"),
        ({"y_train": np.array([0, 1])}, "x_train has 3 images, y_train 2 labels"),
        ({"y_train": np.array([0.5, 1, 1])}, "y_train is float64"),
        (
            {"y_train": np.array([0, {}, 1], object)},
            "y_train holds Python objects, which are not loaded",
        ),
    ],
)
def test_wrong_arrays_are_refused(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    assert expected in refusal(write(tmp_path / "wrong.npz", **changes))


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.npz").read_bytes()
    for name, content in (
        ("text", b"not an npz"),
        ("empty", b""),
        ("half", whole[: len(whole) // 2]),
    ):
        path = tmp_path / f"{name}.npz"
        path.write_bytes(content)
        assert "cannot be used" in refusal(path)


def test_one_class_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "one.npz", y_train=np.zeros(3, int), y_test=np.zeros(2, int))
    with pytest.raises(UserError, match="has only one class: 0"):
        open_source(path)


def test_other_arrays_are_reported(tmp_path: Path) -> None:
    found = open_source(write(tmp_path / "more.npz", extra=np.zeros(2)))
    assert found.notes == ("Skipped arrays of more.npz: extra.",)


def test_labels_are_composed_and_trimmed(tmp_path: Path) -> None:
    labels = np.array(["cafe\u0301", "tea "])
    path = write(tmp_path / "a.npz", y_train=labels[[0, 1, 0]], y_test=np.array(["tea", "café"]))
    assert open_source(path).labels == ("café", "tea")
    names = np.array(["cafe\u0301", "tea ", *"23456789", "x"])
    named = write(tmp_path / "b.npz", label_names=names)
    assert open_source(named).labels == ("café", "tea", "x")


@pytest.mark.parametrize("number", ["①", "²", "", "-1", "1_0", "9" * 5000])
def test_what_is_no_number_of_an_image_is_not_there(tmp_path: Path, number: str) -> None:
    images = NpzImages(write(tmp_path / "a.npz"))
    with pytest.raises(KeyError):
        images.array(f"train/{number}")
