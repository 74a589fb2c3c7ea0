"""Folders of images without labels: found, packed, in a data folder of their own."""

from pathlib import Path

import numpy as np
import pytest
from image_files import class_folders, png16, write_photo

from workbench.datasets.pack import open_pack
from workbench.datasets.prepare import prepare
from workbench.datasets.sixteen_bit import Levels
from workbench.datasets.sources.opening import open_unlabelled
from workbench.datasets.store import find_folder, open_in
from workbench.datasets.unlabelled import UnlabelledImages, prepare_unlabelled
from workbench.errors import UserError
from workbench.experiment.sections import DataSpec
from workbench.paths import Workspace

DATA = DataSpec(source="unused", image_size=(8, 8))


def prepared(tmp_path: Path, name: str = "new", levels: Levels | None = None) -> UnlabelledImages:
    return prepare_unlabelled(tmp_path / name, DATA, levels, Workspace(tmp_path))


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Three images, one of them in a folder."""
    for seed, name in enumerate(("b.png", "a/1.png", "c.png")):
        write_photo(tmp_path / "new" / name, 100 + seed)
    return tmp_path / "new"


def test_images_are_found_below_the_folder_whatever_their_names(new: Path) -> None:
    (new / "notes.txt").write_text("hello")
    source = open_unlabelled(new)
    assert [item.path for item in source.items] == ["a/1.png", "b.png", "c.png"]
    assert {(item.label, item.split) for item in source.items} == {("unlabelled", "test")}
    assert source.notes == ("Not read: 1 .txt file (notes.txt).",)


def test_a_folder_that_is_missing_a_file_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no folder .*gone"):
        open_unlabelled(tmp_path / "gone")
    with pytest.raises(UserError, match=r"There is no folder .*one\.png"):
        open_unlabelled(write_photo(tmp_path / "one.png", 1))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"There is no image in .*empty\."):
        open_unlabelled(tmp_path / "empty")
    (tmp_path / "empty" / "a.heic").touch()
    with pytest.raises(UserError, match=r"There is no image in .*empty\.\nNot read: 1 \.heic"):
        open_unlabelled(tmp_path / "empty")


@pytest.mark.usefixtures("new")
def test_the_rest_is_packed_where_an_image_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "new" / "bad.png").write_bytes(b"nothing")
    found = prepared(tmp_path)
    assert [row.path for row in found.rows] == ["a/1.png", "b.png", "c.png"]
    assert open_pack(found.pack).shape == (3, 8, 8, 3)
    assert [path for path, _ in found.unreadable] == ["bad.png"]
    assert found.folder == tmp_path / "data" / "new"


def test_where_no_image_can_be_read_the_first_reason_is_given(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "bad\x1b[2J.png").write_bytes(b"nothing")
    with pytest.raises(UserError, match="None of the images in") as caught:
        prepared(tmp_path)
    assert "\x1b" not in str(caught.value)


def test_an_image_that_disappears_leaves_the_pack_as_it_is(tmp_path: Path, new: Path) -> None:
    before = prepared(tmp_path)
    (new / "b.png").unlink()
    after = prepared(tmp_path)
    assert (after.pack, after.rows) == (before.pack, before.rows)
    assert after.present == {"a/1.png", "c.png"}
    assert after.unreadable == ()


def test_an_image_that_is_added_or_changed_makes_another_pack(tmp_path: Path, new: Path) -> None:
    before = prepared(tmp_path)
    write_photo(new / "b.png", 7)
    changed = prepared(tmp_path)
    assert changed.pack != before.pack
    write_photo(new / "d.png", 8)
    assert [row.path for row in prepared(tmp_path).rows] == ["a/1.png", "b.png", "c.png", "d.png"]


@pytest.mark.usefixtures("new")
def test_a_killed_preparation_starts_again(tmp_path: Path) -> None:
    before = prepared(tmp_path)
    whole = (before.folder / "manifest.csv").read_bytes()
    before.pack.unlink()
    (before.folder / "manifest.csv").write_bytes(whole[: len(whole) // 2])
    after = prepared(tmp_path)
    assert after == before
    assert open_pack(after.pack).shape == (3, 8, 8, 3)


def test_the_same_folder_with_its_labels_is_another_data_set(tmp_path: Path) -> None:
    pets = class_folders(tmp_path / "pets", cat=4, dog=4)
    workspace = Workspace(tmp_path)
    labelled = prepare(DATA.model_copy(update={"source": str(pets)}), workspace)
    unlabelled = prepared(tmp_path, "pets")
    assert (labelled.folder.name, unlabelled.folder.name) == ("pets", "pets-2")
    assert len(unlabelled.rows) == 8
    assert find_folder(workspace, pets) == labelled.folder
    assert find_folder(workspace, pets, unlabelled=True) == unlabelled.folder
    assert open_in(workspace, pets).labels == ("cat", "dog")


def test_16_bits_are_scaled_as_those_of_the_run(tmp_path: Path) -> None:
    values = np.full((20, 24, 1), 1000, np.uint16)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "deep.png").write_bytes(png16(values))
    found = prepared(tmp_path, levels=Levels(0, 2000))
    assert open_pack(found.pack)[0, 0, 0].tolist() == [128] * 3
    assert found.rows[0].levels == Levels(0, 2000)
