"""manifest.csv keeps every name, is complete or absent, and its damage is reported by line."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from workbench.datasets.manifest import (
    ImageRecord,
    ScanRecord,
    make_manifest_rows,
    read_manifest,
    write_manifest,
)
from workbench.errors import UserError

HASH = "0123456789abcdef" * 2
ROW = ImageRecord("cats/1.jpg", "cats", "train", 500, 375, 12_304, HASH)


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as refused:
        read_manifest(path)
    return refused.value.message


def test_rows_are_the_images_with_a_split_sorted_by_path() -> None:
    records = [
        ScanRecord(path, "x", None, 5, 4, 7, pixel_hash=HASH) for path in ("b", "a", "c", "d")
    ]
    rows = make_manifest_rows(records, {"a": "test", "b": "train", "c": None})
    assert rows == (
        ImageRecord("a", "x", "test", 5, 4, 7, HASH),
        ImageRecord("b", "x", "train", 5, 4, 7, HASH),
    )


def test_it_is_a_plain_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    write_manifest(path, [ROW])
    assert path.read_text().splitlines() == [
        "path,label,split,width,height,bytes,pixel_hash",
        f"cats/1.jpg,cats,train,500,375,12304,{HASH}",
    ]


def test_strings_that_many_rows_share_are_stored_once(tmp_path: Path) -> None:
    write_manifest(tmp_path / "manifest.csv", [ROW, replace(ROW, path="cats/2.jpg")])
    one, other = read_manifest(tmp_path / "manifest.csv")
    assert one.label is other.label
    assert one.split is other.split


@pytest.mark.parametrize(
    "name",
    [
        b"caf\xe9",
        b'a,"b"',
        b"two\nlines",
        b"a\r",
        b"\x1b[31m",
        b" a ",
        "ä𝄞".encode(),
        b"=1+1",
        b"'",
    ],
)
def test_every_name_survives(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / "manifest.csv"
    rows = [replace(ROW, path=os.fsdecode(name), label=os.fsdecode(name)), ROW]
    write_manifest(path, rows)
    assert read_manifest(path) == rows


def test_an_empty_manifest_is_one(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.csv", [])
    assert read_manifest(tmp_path / "m.csv") == []


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda text: "", "line 1: the columns are not path,label"),
        (lambda text: text.replace("width", "breadth"), "line 1: the columns are not"),
        (lambda text: text.replace("500", "wide"), "line 2: 'wide' is not a count"),
        (lambda text: text[:-12], "line 2: the hash is"),
        (lambda text: text[: text.rindex(",")], "line 2: 6 columns, 7 expected"),
        (lambda text: text.replace("train", "tr\x1b"), "line 2: the split is"),
        (lambda text: text.replace("cats,", ","), "line 2: path or label is missing"),
        (lambda text: text + '"', "is damaged at line"),
    ],
)
def test_damage_is_reported_with_its_line(tmp_path: Path, damage, expected: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "manifest.csv"
    write_manifest(path, [ROW])
    path.write_text(damage(path.read_text()))
    assert expected in refusal(path)
    assert "\x1b" not in refusal(path)


def test_a_missing_manifest_is_reported(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refusal(tmp_path / "manifest.csv")
