"""Every layout is detected, and an unknown one is refused."""

import os
from pathlib import Path

import pytest
from image_files import class_folders, write_photo

from workbench.datasets.sources.opening import open_source
from workbench.datasets.sources.source import Item
from workbench.errors import UserError


def touch(root: Path, *names: str) -> Path:
    """Write empty files: detection uses only names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def refusal(path: Path) -> UserError:
    with pytest.raises(UserError) as refused:
        open_source(path)
    return refused.value


def test_class_folders_are_searched_to_the_bottom(tmp_path: Path) -> None:
    touch(tmp_path, "cats/1.jpg", "cats/old/deep/2.JPEG", "dogs/1.png")
    found = open_source(tmp_path)
    assert (found.root, found.kind, found.user_split) == (tmp_path, "class folders", False)
    assert found.items == (
        Item("cats/1.jpg", "cats"),
        Item("cats/old/deep/2.JPEG", "cats"),
        Item("dogs/1.png", "dogs"),
    )
    assert found.notes == ()


def test_labels_are_sorted_as_people_count(tmp_path: Path) -> None:
    touch(tmp_path, *(f"class {n}/a.jpg" for n in (10, 2, 1)))
    assert open_source(tmp_path).labels == ("class 1", "class 2", "class 10")


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "validation", "test"),
        ("training", "val", "testing"),
        ("training_set", "validation_set", "test_set"),
        ("train_set", "valid", "test1"),
        ("Train", "dev", "TEST"),
        ("Training Data", None, "Test Data"),
        ("trainset", None, "testset"),
        ("Training Images", None, "Testing Images"),
        ("TRAIN_DATA", None, "TEST_DATA"),
        ("images_train", None, "images_test"),
        ("train set 1", None, "test set 1"),
        ("pets-train", None, "pets-test"),
    ],
)
def test_split_folders_go_by_many_names(
    tmp_path: Path, train: str, validation: str | None, test: str
) -> None:
    splits = {train: "train", test: "test"} | ({validation: "validation"} if validation else {})
    for part in splits:
        touch(tmp_path, f"{part}/cats/1.jpg", f"{part}/dogs/1.jpg")
    found = open_source(tmp_path)
    assert (found.kind, found.user_split) == ("split folders", True)
    assert {(item.path, item.label, item.split) for item in found.items} == {
        (f"{part}/{label}/1.jpg", label, split)
        for part, split in splits.items()
        for label in ("cats", "dogs")
    }


def test_a_folder_around_a_split_is_seen_through(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "archive/training_set/training_set/cats/1.jpg",
        "archive/training_set/training_set/dogs/1.jpg",
        "archive/test_set/test_set/cats/1.jpg",
        "archive/test_set/test_set/dogs/1.jpg",
    )
    found = open_source(tmp_path)
    assert (found.root, found.labels) == (tmp_path / "archive", ("cats", "dogs"))
    assert found.items[-1] == Item("training_set/training_set/dogs/1.jpg", "dogs")
    assert [item.split for item in found.items] == ["test", "test", "train", "train"]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    touch(tmp_path, "bus/1.jpg", "car/1.jpg", "train/1.jpg", "train/2.jpg")
    found = open_source(tmp_path)
    assert (found.kind, found.labels) == ("class folders", ("bus", "car", "train"))


def test_a_copy_beside_the_splits_is_left_out(tmp_path: Path) -> None:
    for part in ("train", "test", "chest_xray/train"):
        touch(tmp_path, f"{part}/ill/1.jpg", f"{part}/well/1.jpg")
    found = open_source(tmp_path)
    assert len(found.items) == 4
    assert found.notes == ("The folder chest_xray is none of the splits; 2 images left out.",)


@pytest.mark.parametrize("between", [".", "_", "-"])
def test_flat_names_contain_the_label(tmp_path: Path, between: str) -> None:
    touch(tmp_path, *(f"{pet}{between}{n}.jpg" for pet in ("cat", "dog") for n in range(2)))
    found = open_source(tmp_path)
    assert (found.kind, found.labels, len(found.items)) == ("flat names", ("cat", "dog"), 4)
    assert found.items[0] == Item(f"cat{between}0.jpg", "cat")


def test_kaggle_s_unlabelled_test_images_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "train/cat.0.jpg", "train/cat.1.jpg", "train/dog.0.jpg", "train/dog.1.jpg")
    touch(tmp_path, "test1/1.jpg", "test1/2.jpg", "sampleSubmission.csv")
    found = open_source(tmp_path)
    assert [item.path for item in found.items] == [
        "train/cat.0.jpg",
        "train/cat.1.jpg",
        "train/dog.0.jpg",
        "train/dog.1.jpg",
    ]
    assert not found.user_split
    assert found.notes == (
        "test1 holds 2 images without labels; left out.",
        "Only the training part has labels; it is split like any other images.",
        "Not read: 1 .csv file (sampleSubmission.csv).",
    )


def test_names_of_photographs_are_no_labels(tmp_path: Path) -> None:
    touch(tmp_path, "holiday-1.jpg", "birthday-7.jpg", "garden_2.jpg", "sea.3.jpg")
    assert "their labels are unknown" in refusal(tmp_path).message


def test_rubbish_and_hidden_files_are_not_seen(tmp_path: Path) -> None:
    touch(tmp_path, "cats/1.jpg", "cats/._1.jpg", "cats/Thumbs.db", "dogs/1.jpg")
    touch(tmp_path, "__MACOSX/cats/1.jpg", ".cache/x.jpg")
    found = open_source(tmp_path)
    assert [item.path for item in found.items] == ["cats/1.jpg", "dogs/1.jpg"]
    assert found.notes == ()


def test_skipped_files_are_noted(tmp_path: Path) -> None:
    touch(tmp_path, "cats/1.jpg", "cats/notes.txt", "dogs/1.jpg", "logo.png", "LICENSE")
    (tmp_path / "birds").mkdir()
    assert open_source(tmp_path).notes == (
        "Skipped, without images: birds.",
        "1 image beside the class folders skipped: logo.png.",
        "Not read: 1 file without an extension, 1 .txt file (LICENSE, cats/notes.txt).",
    )


def test_links_are_followed_and_never_in_circles(tmp_path: Path) -> None:
    data = touch(tmp_path / "data", "cats/1.jpg", "dogs/1.jpg")
    elsewhere = touch(tmp_path / "elsewhere", "2.jpg")
    (data / "cats" / "more").symlink_to(elsewhere)
    (data / "cats" / "again").symlink_to(elsewhere)
    (data / "cats" / "up").symlink_to(data)
    (data / "self").symlink_to(data)
    found = open_source(data)
    assert found.labels == ("cats", "dogs")
    assert [item.path for item in found.items] == ["cats/1.jpg", "cats/again/2.jpg", "dogs/1.jpg"]


def test_wrappers_that_link_to_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "a").symlink_to(tmp_path / "a")
    assert "no images" in refusal(tmp_path / "a").message


def test_names_in_any_bytes_survive(tmp_path: Path) -> None:
    raw = os.fsdecode(b"caf\xe9\x1b[31m\n[oops]")
    touch(tmp_path, f"{raw}/{raw}.jpg", "dogs/1.jpg")
    found = open_source(tmp_path)
    assert found.labels == (raw, "dogs")
    assert (found.root / found.items[0].path).exists()


def test_a_label_that_is_never_trained_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "train/cats/1.jpg", "train/dogs/1.jpg", "test/cats/1.jpg", "test/apes/1.jpg")
    found = open_source(tmp_path)
    assert found.labels == ("cats", "dogs")
    assert found.notes == ("1 test image of apes left out: no training image has this label.",)


def test_parts_without_a_common_label_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "train/cats/1.jpg", "train/dogs/1.jpg", "test/Cats/1.jpg", "test/Dogs/1.jpg")
    refused = refusal(tmp_path)
    assert "No class folder in test (Cats, Dogs) has the name of one in the training" in str(
        refused
    )


def test_a_training_part_without_labels_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "train/1.jpg", "train/2.jpg", "test/3.jpg")
    assert "training part" in refusal(tmp_path).message


def test_a_single_class_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "cats/1.jpg", "cats/2.jpg")
    refused = refusal(tmp_path)
    assert "Only one class was found" in refused.message
    assert "cats, with 2 images" in refused.message
    assert "class folders" in refused.hint


def test_a_single_class_in_splits_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "train/cats/1.jpg", "test/cats/1.jpg")
    assert "has only one class: cats (2 images)" in refusal(tmp_path).message


def test_missing_empty_and_foreign_sources_are_refused(tmp_path: Path) -> None:
    assert "There is no file or folder" in refusal(tmp_path / "no\x1bsuch").message
    assert "\x1b" not in refusal(tmp_path / "no\x1bsuch").message
    (tmp_path / "empty").mkdir()
    assert "is empty" in refusal(tmp_path / "empty").message
    touch(tmp_path / "texts", "a.txt", "b/c.txt")
    assert (
        "1 folder (b) and 1 other file (a.txt), but no images"
        in refusal(tmp_path / "texts").message
    )
    assert "neither a CSV nor an npz" in refusal(touch(tmp_path, "x.zip") / "x.zip").message
    assert "a single image" in refusal(touch(tmp_path, "x.jpg") / "x.jpg").message


def test_the_refusal_lists_what_is_accepted(tmp_path: Path) -> None:
    hint = refusal(tmp_path).hint
    for layout in ("class folders", "split folders", "flat names", "CSV", ".npz"):
        assert layout in hint


def test_a_folder_that_may_not_be_entered_is_reported(tmp_path: Path) -> None:
    class_folders(tmp_path, cats=1, dogs=1)
    secret = tmp_path / "cats" / "secret"
    secret.mkdir(mode=0)
    if os.access(secret, os.R_OK):
        pytest.skip("root may enter every folder")
    assert open_source(tmp_path).notes == ("1 folder could not be read: cats/secret.",)


def test_progress_counts_the_files(tmp_path: Path) -> None:
    touch(tmp_path, *(f"cats/{n}.jpg" for n in range(1000)), "dogs/1.jpg")
    steps: list[tuple[str, int, int]] = []
    open_source(tmp_path, lambda *step: steps.append(step))
    assert steps == [("look through the folder", 1000, 0)]


def test_a_home_folder_and_dots_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photo(tmp_path / "pets" / "cats" / "1.png", 1)
    write_photo(tmp_path / "pets" / "dogs" / "1.png", 2)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "pets" / "cats")
    assert open_source("~/pets").path == open_source("..").path == tmp_path / "pets"
