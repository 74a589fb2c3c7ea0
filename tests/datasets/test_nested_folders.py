"""Splits in folders are detected in their usual forms; ambiguous ones cause a warning."""

import unicodedata
from pathlib import Path

import pytest
from test_opening import refusal, touch

from workbench.datasets.sources.opening import open_source
from workbench.datasets.sources.source import Item, Source

COMPOSED = "café"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


def splits_of(found: Source) -> dict[str, tuple[str, str | None]]:
    return {item.path: (item.label, item.split) for item in found.items}


def codes(found: Source) -> list[str]:
    return [doubt.code for doubt in found.warnings]


def test_splits_inside_class_folders_are_splits(tmp_path: Path) -> None:
    for pet in ("cat", "dog"):
        touch(tmp_path, *(f"{pet}/{part}/1.jpg" for part in ("train", "val", "Test Images")))
    found = open_source(tmp_path)
    assert (found.kind, found.labels, codes(found)) == ("split folders", ("cat", "dog"), [])
    assert splits_of(found) == {
        f"{pet}/{part}/1.jpg": (pet, split)
        for pet in ("cat", "dog")
        for part, split in (("train", "train"), ("val", "validation"), ("Test Images", "test"))
    }


def test_they_are_seen_through_one_more_folder(tmp_path: Path) -> None:
    for pet in ("cat", "dog"):
        touch(tmp_path, *(f"pets/{pet}/{pet}/{part}/1.jpg" for part in ("train", "test")))
    found = open_source(tmp_path)
    parts = [(pet, part) for pet in ("cat", "dog") for part in ("train", "test")]
    assert splits_of(found) == {f"{p}/{p}/{part}/1.jpg": (p, part) for p, part in parts}


def test_images_outside_these_parts_are_left_out_with_a_note(tmp_path: Path) -> None:
    for pet in ("cat", "dog", "ape"):
        touch(tmp_path, *(f"{pet}/{part}/1.jpg" for part in ("train", "test")))
    touch(tmp_path, "cat/preview.jpg", "cat/old/2.jpg", "bird/1.jpg")
    found = open_source(tmp_path)
    assert found.labels == ("ape", "cat", "dog")
    assert found.notes == (
        "2 images of cat outside its train, validation and test folders left out.",
    )
    (doubt,) = found.warnings
    assert doubt.message == (
        "bird has no train, validation or test folder as the other classes have; 1 image left out."
    )


def test_a_word_before_all_parts_does_not_hide_them(tmp_path: Path) -> None:
    for part in ("seg_train", "seg_test"):
        touch(tmp_path, f"{part}/{part}/sea/1.jpg", f"{part}/{part}/street/1.jpg")
    touch(tmp_path, "seg_pred/seg_pred/7.jpg")
    found = open_source(tmp_path)
    assert splits_of(found) == {
        f"seg_{part}/seg_{part}/{label}/1.jpg": (label, part)
        for part in ("train", "test")
        for label in ("sea", "street")
    }
    assert found.notes == ("The folder seg_pred is none of the splits; 1 image left out.",)


def test_folders_and_files_that_name_class_and_split(tmp_path: Path) -> None:
    for name in ("cat_train", "cat_test", "dog_train", "dog_test"):
        touch(tmp_path / "folders", f"{name}/1.jpg")
        touch(tmp_path / "files", f"{name}_1.jpg", f"{name}_2.jpg")
    in_folders, in_files = open_source(tmp_path / "folders"), open_source(tmp_path / "files")
    assert splits_of(in_folders) == {
        f"{pet}_{part}/1.jpg": (pet, part) for pet in ("cat", "dog") for part in ("train", "test")
    }
    assert splits_of(in_files) == {
        f"{pet}_{part}_{n}.jpg": (pet, part)
        for pet in ("cat", "dog")
        for part in ("train", "test")
        for n in (1, 2)
    }


def test_files_that_name_only_a_split_cause_a_warning(tmp_path: Path) -> None:
    names = [f"{part}_{n}.jpg" for part in ("train", "test") for n in (1, 2)]
    (doubt,) = open_source(touch(tmp_path, *names)).warnings
    assert doubt.code == "layout"
    assert doubt.message == (
        "The labels, test, train, are names of splits; if so, the classes are unknown."
    )


def test_unlabelled_images_in_a_folder_of_their_own_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "test/test/1.jpg")
    found = open_source(tmp_path)
    assert {item.split for item in found.items} == {None}
    assert "test holds 1 image without labels; left out." in found.notes


@pytest.mark.parametrize(
    "names",
    [
        ("learning/cat/1.jpg", "learning/dog/1.jpg", "check/cat/1.jpg", "check/dog/1.jpg"),
        ("A/x/1.jpg", "A/y/1.jpg", "B/X /1.jpg"),  # case and blanks do not hide it
        ("cat/1.jpg", "cat/test/2.jpg", "dog/1.jpg", "dog/test/2.jpg"),
        ("train/s1/cat/1.jpg", "train/s1/dog/1.jpg", "train/s2/cat/1.jpg", "train/s2/dog/1.jpg"),
    ],
)
def test_folders_of_the_same_names_inside_classes_cause_a_warning(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    found = open_source(touch(tmp_path, *names))
    assert codes(found) == ["layout"]
    assert "hold folders of the same names" in found.warnings[0].message


@pytest.mark.parametrize(
    "names",
    [
        ("cat/images/1.jpg", "dog/images/1.jpg"),  # one folder around all images of a class
        ("cat/old/1.jpg", "cat/2.jpg", "dog/new/1.jpg", "dog/2.jpg"),
        ("cat/1.jpg", "dog/1.jpg"),
        ("bus/1.jpg", "train/1.jpg"),
    ],
)
def test_other_folders_inside_classes_are_not(tmp_path: Path, names: tuple[str, ...]) -> None:
    found = open_source(touch(tmp_path, *names))
    assert (found.kind, found.warnings) == ("class folders", ())


def test_a_train_beside_a_bus_in_every_class_is_no_split(tmp_path: Path) -> None:
    things = [f"{kind}/{thing}" for kind in ("toy", "real") for thing in ("bus", "train")]
    touch(tmp_path, *(f"{thing}/1.jpg" for thing in things))
    found = open_source(tmp_path)
    assert (found.labels, codes(found)) == (("real", "toy"), ["layout"])


# Labels that are the same to a person


def test_a_class_keeps_its_test_images_however_its_name_is_stored(tmp_path: Path) -> None:
    touch(tmp_path, f"train/{COMPOSED}/1.jpg", "train/tea/1.jpg")
    touch(tmp_path, f"test/{DECOMPOSED}/2.jpg", "test/tea /2.jpg")
    found = open_source(tmp_path)
    assert found.items == (
        Item(f"test/{DECOMPOSED}/2.jpg", COMPOSED, "test"),
        Item("test/tea /2.jpg", "tea", "test"),
        Item(f"train/{COMPOSED}/1.jpg", COMPOSED, "train"),
        Item("train/tea/1.jpg", "tea", "train"),
    )
    assert [item.split for item in found.items] == ["test", "test", "train", "train"]
    assert all((found.root / item.path).exists() for item in found.items)
    assert (found.notes, found.warnings) == ((), ())


def test_folders_that_become_one_class_are_noted(tmp_path: Path) -> None:
    found = open_source(touch(tmp_path, "cat/1.jpg", "cat /2.jpg", "dog/1.jpg"))
    assert found.labels == ("cat", "dog")
    assert [item.path for item in found.items if item.label == "cat"] == ["cat /2.jpg", "cat/1.jpg"]
    assert found.notes == (
        "Folders whose names differ only in blanks at the ends or in how accents are stored are "
        "one class: cat.",
    )


def test_labels_in_names_of_files_and_in_tables_are_composed_and_trimmed(tmp_path: Path) -> None:
    names = (f"{COMPOSED}.0.jpg", f"{DECOMPOSED}.1.jpg", "tea.0.jpg", "tea.1.jpg")
    flat = open_source(touch(tmp_path / "flat", *names))
    assert flat.labels == (COMPOSED, "tea")
    table = touch(tmp_path, "a.jpg", "b.jpg", "c.jpg") / "t.csv"
    table.write_text(f"path,label\na.jpg,{COMPOSED}\nb.jpg,{DECOMPOSED} \nc.jpg,tea\n", "utf-8")
    assert open_source(table).labels == (COMPOSED, "tea")


def test_labels_that_differ_only_in_case_cause_a_warning(tmp_path: Path) -> None:
    found = open_source(touch(tmp_path, "Cat/1.jpg", "cat/1.jpg", "dog/1.jpg"))
    assert found.labels == ("Cat", "cat", "dog")
    (doubt,) = found.warnings
    assert doubt.code == "labels"
    assert "are trained as different classes: Cat and cat." in doubt.message


def test_test_images_lost_only_by_case_cause_a_warning(tmp_path: Path) -> None:
    touch(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "test/Cat/2.jpg", "test/dog/2.jpg")
    (doubt,) = open_source(tmp_path).warnings
    assert doubt.code == "labels"
    assert doubt.message.startswith("1 test image of Cat left out: no training image has this ")
    assert "cat differs from it only in case" in doubt.message


# Files that are not read


def test_files_that_are_not_read_are_counted_by_kind(tmp_path: Path) -> None:
    touch(tmp_path, "cat/1.jpg", "dog/1.jpg", "dog/2.raw", "cat/3.RAW", "cat/IMG_1", "dog/a.txt")
    touch(tmp_path, "cat/notes.of the day")
    found = open_source(tmp_path)
    (doubt,) = found.warnings
    assert doubt.code == "not-read"
    assert doubt.message == (
        "Not read: 2 files without an extension, 2 .raw files, 1 .txt file "
        "(cat/3.RAW, cat/IMG_1, cat/notes.of the day and 2 more)."
    )
    assert doubt.files == (
        "cat/3.RAW", "cat/IMG_1", "cat/notes.of the day", "dog/2.raw", "dog/a.txt",
    )  # fmt: skip


@pytest.mark.parametrize("split", ["", "train/"])
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["1.raw", "2.raw"], "2 .raw files"),
        (["1"], "1 file without an extension"),
    ],
)
def test_a_class_of_unreadable_images_is_named(
    tmp_path: Path, split: str, files: list[str], expected: str
) -> None:
    touch(tmp_path, *(f"{split}{pet}/1.jpg" for pet in ("cat", "dog")))
    if split:
        touch(tmp_path, "test/cat/1.jpg", "test/dog/1.jpg")
    touch(tmp_path, *(f"{split}owl/{name}" for name in files))
    found = open_source(tmp_path)
    assert found.labels == ("cat", "dog")
    assert found.warnings[0].message.startswith(
        f"{split}owl holds no image that can be read, so it is not a class: {expected} ("
        f"{split}owl/1"
    )
    assert found.warnings[0].files == tuple(f"{split}owl/{name}" for name in files)


def test_where_nothing_else_is_there_the_refusal_names_them(tmp_path: Path) -> None:
    touch(tmp_path / "all", "cat/1.jxl", "dog/1.jxl", "dog/2.jxl")
    assert "3 .jxl files (cat/1.jxl, dog/1.jxl, dog/2.jxl)" in refusal(tmp_path / "all").message
    touch(tmp_path / "half", "cat/a.jpg", "dog/1.jxl")
    assert "dog holds no image that can be read, so it is not a class: 1 .jxl file" in (
        refusal(tmp_path / "half").message
    )
