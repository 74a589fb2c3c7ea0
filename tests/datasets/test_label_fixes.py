"""Label fixes: a file of corrected labels, applied by pixels before the split."""

import os
from pathlib import Path
from typing import Any

import pytest
from image_files import class_folders

from workbench.datasets.label_fixes import (
    LabelFix,
    add_label_fixes,
    apply_label_fixes,
    existing_label_fixes,
    label_fixes_path,
    read_label_fixes,
    remove_label_fixes,
    write_label_fixes,
)
from workbench.datasets.manifest import ScanRecord
from workbench.datasets.pack import pack_path
from workbench.datasets.prepare import PreparedData, prepare, prepare_from_manifest
from workbench.errors import UserError
from workbench.experiment.sections import DataSpec
from workbench.paths import Workspace

ONE, TWO, THREE = ("1" * 32, "2" * 32, "3" * 32)
HEADER = "path,pixel_hash,label\n"


def record(path: str, label: str, pixels: str, problem: str | None = None) -> ScanRecord:
    return ScanRecord(path, label, None, pixel_hash=pixels, problem=problem)


RECORDS = [record("a.png", "cat", ONE), record("b.png", "cat", TWO), record("c.png", "dog", THREE)]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    odd = [
        LabelFix('a,"\n\udcff.png', ONE, "c\nat"),
        LabelFix("=cmd()", TWO, ""),
        LabelFix("\x1b[31m", THREE, "dog"),
    ]
    write_label_fixes(path, odd)
    assert read_label_fixes(path) == odd
    assert [one.name for one in tmp_path.iterdir()] == ["corrections.csv"]


def test_one_of_the_same_pixels_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    assert existing_label_fixes(path) == []
    add_label_fixes(path, [LabelFix("a", ONE, "cat"), LabelFix("b", TWO, "cat")])
    add_label_fixes(path, [LabelFix("moved", ONE, "")])
    assert existing_label_fixes(path) == [LabelFix("moved", ONE, ""), LabelFix("b", TWO, "cat")]
    remove_label_fixes(path, [ONE, THREE])
    assert existing_label_fixes(path) == [LabelFix("b", TWO, "cat")]


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
        read_label_fixes(path)


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "nothing", "."):
        with pytest.raises(UserError, match="There is no file of label fixes"):
            read_label_fixes(tmp_path / name)


def test_labels_change_and_images_go_with_their_copies() -> None:
    copy = record("copy.png", "cat", ONE)
    done = apply_label_fixes([*RECORDS, copy], [LabelFix("old.png", ONE, "dog")])
    assert [(one.path, one.label) for one in done.records] == [
        ("a.png", "dog"), ("b.png", "cat"), ("c.png", "dog"), ("copy.png", "dog"),
    ]  # fmt: skip
    assert done.notes == ("Label fixes: 2 images got another label, 0 left out of the data.",)
    out = apply_label_fixes([*RECORDS, copy], [LabelFix("old.png", ONE, "")])
    assert [one.path for one in out.records] == ["b.png", "c.png"]
    assert out.notes == ("Label fixes: 0 images got another label, 2 left out of the data.",)


def test_unchanged_labels_are_not_counted_and_missing_images_are_reported() -> None:
    fixes = [LabelFix("a", ONE, "cat"), LabelFix("gone\x1b.png", "f" * 32, "")]
    done = apply_label_fixes(RECORDS, fixes)
    assert done.records == RECORDS
    assert done.notes == (
        "Label fixes: 0 images got another label, 0 left out of the data.",
        "1 label fix is of an image not in the data: gone\\e.png.",
    )


def test_images_that_cannot_be_used_have_no_pixels_to_know_them_by() -> None:
    broken = record("broken.png", "cat", "", problem="no image")
    done = apply_label_fixes([*RECORDS, broken], [LabelFix("a", ONE, "dog")])
    assert done.records[-1] == broken


def test_a_label_that_the_data_does_not_have_is_refused() -> None:
    with pytest.raises(UserError, match=r"label fix of a\\e gives the label 'dgo'") as caught:
        apply_label_fixes(RECORDS, [LabelFix("a\x1b", ONE, "dgo")])
    assert caught.value.hint == "Allowed: cat or dog."


def test_two_labels_must_be_left() -> None:
    with pytest.raises(UserError, match="fewer than two labels are left"):
        apply_label_fixes(RECORDS, [LabelFix("c", THREE, "")])
    with pytest.raises(UserError, match="fewer than two labels are left"):
        apply_label_fixes(RECORDS, [LabelFix("c", THREE, "cat")])
    apply_label_fixes([*RECORDS, record("d", "dog", "4" * 32)], [LabelFix("c", THREE, "")])


def prepared(workspace: Workspace, root: Path, **values: Any) -> PreparedData:
    return prepare(DataSpec(source=str(root), image_size=(8, 8), **values), workspace)


def test_the_data_is_prepared_as_a_person_set_it_right(
    tmp_path: Path, workspace: Workspace
) -> None:
    root = class_folders(tmp_path / "pets", cat=6, dog=6)
    plain = prepared(workspace, root)
    hashes = {row.path: row.pixel_hash for row in plain.rows}
    path = label_fixes_path(workspace, str(root))
    assert path == plain.folder / "corrections.csv"
    add_label_fixes(path, [LabelFix("cat/0.png", hashes["cat/0.png"], "dog")])
    relabelled = prepared(workspace, root, corrections=str(path))
    labels = {row.path: row.label for row in relabelled.rows}
    assert labels == {**{row.path: row.label for row in plain.rows}, "cat/0.png": "dog"}
    assert relabelled.pack == plain.pack  # a pack is of pixels
    assert relabelled.notes[0].startswith("Label fixes: 1 image got another label, 0 left out")
    (root / "cat" / "1.png").rename(root / "cat" / "moved.png")
    add_label_fixes(path, [LabelFix("cat/1.png", hashes["cat/1.png"], "")])
    fewer = prepared(workspace, root, corrections=str(path))
    assert {row.path for row in fewer.rows} == set(labels) - {"cat/1.png"}
    assert fewer.pack != plain.pack
    assert fewer.notes[0].startswith("Label fixes: 1 image got another label, 1 left out")
    assert prepared(workspace, root).labels == ("cat", "dog")


def test_a_run_resumes_without_its_label_fixes(tmp_path: Path, workspace: Workspace) -> None:
    root = class_folders(tmp_path / "pets", cat=6, dog=6)
    rows = prepared(workspace, root).rows
    path = label_fixes_path(workspace, str(root))
    add_label_fixes(path, [LabelFix(rows[0].path, rows[0].pixel_hash, "dog")])
    data = DataSpec(source=str(root), image_size=(8, 8), corrections=str(path))
    began = prepare(data, workspace)
    path.unlink()
    assert prepare_from_manifest(data, began.rows, workspace).rows == began.rows
    pack_path(began.folder, began.rows, data).unlink()
    assert prepare_from_manifest(data, began.rows, workspace).rows == began.rows
    with pytest.raises(UserError, match="There is no file of label fixes"):
        prepare(data, workspace)


def test_a_source_that_was_never_prepared_has_no_place_for_them(
    tmp_path: Path, workspace: Workspace
) -> None:
    root = class_folders(tmp_path / "pets", cat=2, dog=2)
    for source in (str(root), "", "\0"):
        with pytest.raises(UserError, match="never prepared"):
            label_fixes_path(workspace, source)


def test_a_label_typed_in_another_form_is_the_same_label(tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    path.write_text(f"{HEADER}a.png,{ONE},cafe\u0301 \n", encoding="utf-8")
    records = [record("a.png", "tea", ONE), record("b.png", "caf\u00e9", TWO)]
    records.append(record("c.png", "tea", THREE))
    done = apply_label_fixes(records, read_label_fixes(path))
    assert [one.label for one in done.records] == ["caf\u00e9", "caf\u00e9", "tea"]
