"""Corrections: a file of labels set right, applied by pixels before the split."""

import os
from pathlib import Path
from typing import Any

import pytest
from pictures import class_folders

from workbench.datasets.label_fixes import (
    Correction,
    amend,
    apply_corrections,
    corrections_path,
    known_corrections,
    read_corrections,
    take_back,
    write_corrections,
)
from workbench.datasets.pack import pack_path
from workbench.datasets.prepare import Prepared, prepare, prepare_again
from workbench.datasets.scan import Record
from workbench.errors import UserError
from workbench.experiment.sections import DataSpec
from workbench.paths import Workspace

ONE, TWO, THREE = ("1" * 32, "2" * 32, "3" * 32)
HEADER = "path,pixel_hash,label\n"


def record(path: str, label: str, pixels: str, problem: str | None = None) -> Record:
    return Record(path, label, None, pixel_hash=pixels, problem=problem)


RECORDS = [record("a.png", "cat", ONE), record("b.png", "cat", TWO), record("c.png", "dog", THREE)]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    odd = [
        Correction('a,"\n\udcff.png', ONE, "c\nat"),
        Correction("=cmd()", TWO, ""),
        Correction("\x1b[31m", THREE, "dog"),
    ]
    write_corrections(path, odd)
    assert read_corrections(path) == odd
    assert [one.name for one in tmp_path.iterdir()] == ["corrections.csv"]


def test_one_of_the_same_pixels_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    assert known_corrections(path) == []
    amend(path, [Correction("a", ONE, "cat"), Correction("b", TWO, "cat")])
    amend(path, [Correction("moved", ONE, "")])
    assert known_corrections(path) == [Correction("moved", ONE, ""), Correction("b", TWO, "cat")]
    take_back(path, [ONE, THREE])
    assert known_corrections(path) == [Correction("b", TWO, "cat")]


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("", 1, "the columns are not path,pixel_hash,label"),
        ("path,label\n", 1, "the columns are not"),
        (f"{HEADER}a,{ONE}\n", 2, "2 columns, 3 expected"),
        (f"{HEADER}a,{ONE},cat\nb,{'x' * 32},cat\n", 3, "the hash is"),
        (f"{HEADER}a,{ONE[:-1]},cat\n", 2, "the hash is"),
        (f"{HEADER},{ONE},cat\n", 2, "the path is missing"),
        (f"{HEADER}a,{ONE},cat\nb,{ONE},dog\n", 3, "the same pixels have another label above"),
        (f'{HEADER}"a,{ONE},cat\n', 2, "unexpected end of data"),
    ],
)
def test_a_damaged_file_is_refused_by_line(
    tmp_path: Path, content: str, line: int, words: str
) -> None:
    path = tmp_path / "corrections.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=f"is damaged at line {line}: .*{words}"):
        read_corrections(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "nothing", "."):
        with pytest.raises(UserError, match="There is no file of corrections"):
            read_corrections(tmp_path / name)


def test_labels_change_and_images_go_with_their_copies() -> None:
    copy = record("copy.png", "cat", ONE)
    done = apply_corrections([*RECORDS, copy], [Correction("old.png", ONE, "dog")])
    assert [(one.path, one.label) for one in done.records] == [
        ("a.png", "dog"), ("b.png", "cat"), ("c.png", "dog"), ("copy.png", "dog"),
    ]  # fmt: skip
    assert done.notes == ("Corrections: 2 images got another label, 0 left out of the data.",)
    out = apply_corrections([*RECORDS, copy], [Correction("old.png", ONE, "")])
    assert [one.path for one in out.records] == ["b.png", "c.png"]
    assert out.notes == ("Corrections: 0 images got another label, 2 left out of the data.",)


def test_what_is_right_already_is_not_counted_and_what_is_not_there_is_told() -> None:
    said = [Correction("a", ONE, "cat"), Correction("gone\x1b.png", "f" * 32, "")]
    done = apply_corrections(RECORDS, said)
    assert done.records == RECORDS
    assert done.notes == (
        "Corrections: 0 images got another label, 0 left out of the data.",
        "1 correction is of an image not in the data: gone\\e.png.",
    )


def test_images_that_cannot_be_used_have_no_pixels_to_know_them_by() -> None:
    broken = record("broken.png", "cat", "", problem="no image")
    done = apply_corrections([*RECORDS, broken], [Correction("a", ONE, "dog")])
    assert done.records[-1] == broken


def test_a_label_that_the_data_does_not_have_is_refused() -> None:
    with pytest.raises(UserError, match=r"correction of a\\e gives the label 'dgo'") as caught:
        apply_corrections(RECORDS, [Correction("a\x1b", ONE, "dgo")])
    assert caught.value.hint == "Allowed: cat or dog."


def test_two_labels_must_be_left() -> None:
    with pytest.raises(UserError, match="no two labels are left"):
        apply_corrections(RECORDS, [Correction("c", THREE, "")])
    with pytest.raises(UserError, match="no two labels are left"):
        apply_corrections(RECORDS, [Correction("c", THREE, "cat")])
    apply_corrections([*RECORDS, record("d", "dog", "4" * 32)], [Correction("c", THREE, "")])


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def prepared(workspace: Workspace, root: Path, **values: Any) -> Prepared:
    return prepare(DataSpec(source=str(root), image_size=(8, 8), **values), workspace)


def test_the_data_is_prepared_as_a_person_set_it_right(
    tmp_path: Path, workspace: Workspace
) -> None:
    root = class_folders(tmp_path / "pets", cat=6, dog=6)
    plain = prepared(workspace, root)
    hashes = {row.path: row.pixel_hash for row in plain.rows}
    path = corrections_path(workspace, str(root))
    assert path == plain.folder / "corrections.csv"
    amend(path, [Correction("cat/0.png", hashes["cat/0.png"], "dog")])
    relabelled = prepared(workspace, root, corrections=str(path))
    labels = {row.path: row.label for row in relabelled.rows}
    assert labels == {**{row.path: row.label for row in plain.rows}, "cat/0.png": "dog"}
    assert relabelled.pack == plain.pack  # a pack is of pixels
    assert relabelled.notes[0].startswith("Corrections: 1 image got another label, 0 left out")
    (root / "cat" / "1.png").rename(root / "cat" / "moved.png")
    amend(path, [Correction("cat/1.png", hashes["cat/1.png"], "")])
    fewer = prepared(workspace, root, corrections=str(path))
    assert {row.path for row in fewer.rows} == set(labels) - {"cat/1.png"}
    assert fewer.pack != plain.pack
    assert fewer.notes[0].startswith("Corrections: 1 image got another label, 1 left out")
    assert prepared(workspace, root).labels == ("cat", "dog")


def test_a_run_goes_on_without_the_file_it_began_with(tmp_path: Path, workspace: Workspace) -> None:
    root = class_folders(tmp_path / "pets", cat=6, dog=6)
    rows = prepared(workspace, root).rows
    path = corrections_path(workspace, str(root))
    amend(path, [Correction(rows[0].path, rows[0].pixel_hash, "dog")])
    data = DataSpec(source=str(root), image_size=(8, 8), corrections=str(path))
    began = prepare(data, workspace)
    path.unlink()
    assert prepare_again(data, began.rows, workspace).rows == began.rows
    pack_path(began.folder, began.rows, data).unlink()
    assert prepare_again(data, began.rows, workspace).rows == began.rows
    with pytest.raises(UserError, match="There is no file of corrections"):
        prepare(data, workspace)


def test_a_source_that_was_never_prepared_has_no_place_for_them(
    tmp_path: Path, workspace: Workspace
) -> None:
    root = class_folders(tmp_path / "pets", cat=2, dog=2)
    for source in (str(root), "", "\0"):
        with pytest.raises(UserError, match="never prepared"):
            corrections_path(workspace, source)


def test_a_label_typed_in_another_form_is_the_same_label(tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    path.write_text(f"{HEADER}a.png,{ONE},cafe\u0301 \n", encoding="utf-8")
    records = [record("a.png", "tea", ONE), record("b.png", "caf\u00e9", TWO)]
    records.append(record("c.png", "tea", THREE))
    done = apply_corrections(records, read_corrections(path))
    assert [one.label for one in done.records] == ["caf\u00e9", "caf\u00e9", "tea"]
