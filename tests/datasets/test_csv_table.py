"""CSV files of path, label and perhaps split; faults are reported with their line."""

from pathlib import Path

import pytest

from workbench.datasets.sources.opening import open_source
from workbench.datasets.sources.source import Item
from workbench.errors import UserError


def table(folder: Path, *lines: str, name: str = "labels.csv", images: str = "ab") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for image in images:
        (folder / f"{image}.jpg").touch()
    path = folder / name
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as refused:
        open_source(path)
    return refused.value.message


def test_the_file_may_be_named_or_its_folder(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label", "a.jpg,cat", "b.jpg,dog")
    found = open_source(path)
    assert (found.root, found.kind, found.user_split) == (tmp_path, "csv", False)
    assert found.items == (Item("a.jpg", "cat"), Item("b.jpg", "dog"))
    assert open_source(tmp_path).items == found.items


@pytest.mark.parametrize("first", ["path", "file", "filename", "image", " Path "])
@pytest.mark.parametrize("second", ["label", "class", "category"])
def test_columns_go_by_many_names(tmp_path: Path, first: str, second: str) -> None:
    path = table(tmp_path, f"id,{second},{first}", "1,cat,a.jpg", "2,dog,b.jpg")
    assert open_source(path).items == (Item("a.jpg", "cat"), Item("b.jpg", "dog"))


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_and_a_byte_order_mark(tmp_path: Path, delimiter: str) -> None:
    lines = [delimiter.join(row) for row in (("path", "label"), ("a.jpg", "x,y"), ("b.jpg", "z"))]
    path = table(tmp_path, "\ufeff" + lines[0], *lines[1:])
    assert open_source(path).labels == ("x,y", "z")


def test_a_split_column_is_kept(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label,split", "a.jpg,cat,train", "b.jpg,dog,train",
                 "c.jpg,cat,val", "d.jpg,dog,Testing", images="abcd")  # fmt: skip
    found = open_source(path)
    assert found.user_split
    assert [item.split for item in found.items] == ["train", "train", "validation", "test"]


def test_images_may_lie_in_folders_and_elsewhere(tmp_path: Path) -> None:
    table(tmp_path / "other", "x", images="b")
    path = table(
        tmp_path / "data", "path,label", "./images/a.jpg,cat", "../other/b.jpg,dog",
        f"{tmp_path}/data/c.jpg,dog", images="c",
    )  # fmt: skip
    (tmp_path / "data" / "images").mkdir()
    (tmp_path / "data" / "images" / "a.jpg").touch()
    found = open_source(path.parent)
    assert {item.path for item in found.items} == {
        "images/a.jpg",
        "../other/b.jpg",
        f"{tmp_path}/data/c.jpg",
    }
    assert all((found.root / item.path).is_file() for item in found.items)


def test_a_table_beside_unlabelled_splits_is_used(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "1.jpg").touch()
    table(tmp_path, "path,label", "train/1.jpg,cat", "test/1.jpg,dog", images="")
    assert open_source(tmp_path).kind == "csv"


def test_class_folders_come_before_a_table(tmp_path: Path) -> None:
    table(tmp_path / "cat", "x")
    table(tmp_path / "dog", "x")
    table(tmp_path, "path,label", "cat/a.jpg,1", "cat/b.jpg,2", images="")
    assert open_source(tmp_path).kind == "class folders"


def test_missing_images_stay_for_the_scan_to_name(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label", "a.jpg,cat", "gone.jpg,dog", images="a")
    assert Item("gone.jpg", "dog") in open_source(path).items


def test_a_table_whose_images_are_all_missing_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label", "x/a.jpg,cat", "x/b.jpg,dog")
    message = refusal(path)
    assert "None of the 2 images" in message
    assert f"line 2: {tmp_path}/x/a.jpg" in message


def test_repeated_lines_count_once(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label", "a.jpg,cat", "b.jpg,dog", "./a.jpg,cat", "")
    assert len(open_source(path).items) == 2


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a.jpg,cat", "b.jpg,dog"], "the first line names no column of paths or none of labels"),
        (["path,label"], "lists no images"),
        ([""], "the first line"),
        (["path,label", "a.jpg,cat", "b.jpg"], "line 3: the label is missing"),
        (["path,label", "a.jpg,cat", ",dog"], "line 3: the path is missing"),
        (["path,label", "", "a.jpg,cat", "a.jpg,dog"], "line 4: a.jpg was already given in line 3"),
        (
            ["path,label,split", "a.jpg,cat,train", "b.jpg,dog,tr\x1bain"],
            "line 3: the split is 'tr",
        ),
        (["path,label,split", "a.jpg,cat,train", "b.jpg,dog,"], "line 3: the split is missing"),
        (["path,label", "a.jpg,cat", 'b.jpg,"dog" x'], "line 3: it is not CSV"),
        (["path,label", "a.jpg,c\0t", "b.jpg,dog"], "line 2: the label holds a zero byte"),
        (["path,label", "a.jpg,cat", "b.jpg,cat"], "has only one class: cat"),
    ],
)
def test_faults_have_their_line(tmp_path: Path, lines: list[str], expected: str) -> None:
    message = refusal(table(tmp_path, *lines))
    assert expected in message
    assert "\x1b" not in message


def test_labels_in_any_bytes_survive(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label", "a.jpg,caf\udce9", 'b.jpg,"two\nlines"')
    assert set(open_source(path).labels) == {"caf\udce9", "two\nlines"}


@pytest.mark.parametrize("name", ["group", "Patient", "subject"])
def test_groups_may_be_given_and_missing(tmp_path: Path, name: str) -> None:
    path = table(tmp_path, f"path,label,{name}", "a.jpg,x, p 1 ", "b.jpg,y,")
    found = open_source(path)
    assert [(item.path, item.group) for item in found.items] == [("a.jpg", "p 1"), ("b.jpg", "")]
    assert found.warnings == ()


def test_one_group_for_all_images_is_not_used(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label,group", "a.jpg,x,all\x1b", "b.jpg,y,all\x1b")
    found = open_source(path)
    assert [item.group for item in found.items] == ["", ""]
    assert [warning.message for warning in found.warnings] == [
        "All images have the same group, all\\e, so the column of groups is not used."
    ]


def test_an_image_has_one_group(tmp_path: Path) -> None:
    path = table(tmp_path, "path,label,group", "a.jpg,x,p", "b.jpg,y,q", "a.jpg,x,q")
    with pytest.raises(UserError, match=r"line 4: a\.jpg was already given in line 2 with another"):
        open_source(path)
