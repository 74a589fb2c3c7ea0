"""The scan names what is wrong and odd, and never reads an unchanged file twice."""

import json
import os
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import class_folders, photo, stop_at, write_photo
from PIL import Image

from workbench.datasets import scan as scan_module
from workbench.datasets.deep import Deep, Levels
from workbench.datasets.layout import recognise
from workbench.datasets.scan import CACHE_NAME, Record, difference_hash, pixel_hash, scan


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder."""
    path = tmp_path / "folder"
    path.mkdir()
    return path


def counted_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are opened from now on."""
    read: list[str] = []
    original = scan_module.open_image

    def opened(path: Any) -> Any:
        read.append(path.name)
        return original(path)

    monkeypatch.setattr(scan_module, "open_image", opened)
    return read


def by_path(records: list[Record]) -> dict[str, Record]:
    return {record.path: record for record in records}


def test_a_record_tells_what_the_file_is(tmp_path: Path, folder: Path) -> None:
    root = class_folders(tmp_path / "data", cats=1, dogs=1)
    write_photo(root / "dogs" / "big.jpg", 9, 100, 64)
    records = by_path(scan(recognise(root), folder))
    assert list(records) == ["cats/0.png", "dogs/0.png", "dogs/big.jpg"]
    small = records["cats/0.png"]
    status = (root / "cats/0.png").stat()
    assert small == Record(
        path="cats/0.png",
        label="cats",
        split=None,
        bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        changed_ns=status.st_ctime_ns,
        inode=status.st_ino,
        ends=blake2b((root / "cats/0.png").read_bytes(), digest_size=8).hexdigest(),
        width=24,
        height=20,
        format="PNG",
        mode="RGB",
        pixel_hash=pixel_hash(photo(1)),
    )
    big = records["dogs/big.jpg"]
    assert (big.width, big.height, big.format) == (100, 64, "JPEG")
    assert big.dhash == difference_hash(Image.open(root / "dogs/big.jpg").convert("L"))
    assert len(big.thumbnail) == 256


def test_small_images_have_no_perceptual_hash(tmp_path: Path, folder: Path) -> None:
    for name, size in (("a", (64, 64)), ("b", (63, 64)), ("c", (64, 63))):
        write_photo(tmp_path / "data" / "x" / f"{name}.png", 1, *size)
    write_photo(tmp_path / "data" / "y" / "d.png", 2)
    records = by_path(scan(recognise(tmp_path / "data"), folder))
    assert [r.dhash is not None for r in records.values()] == [True, False, False, False]


def odd_files(root: Path) -> None:
    """One file of each kind that is used all the same."""
    root.mkdir(parents=True)
    picture = photo(5, 40, 30)
    picture.convert("CMYK").save(root / "cmyk.jpg")
    Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40)).save(root / "deep.png")
    picture.convert("P", palette=Image.Palette.ADAPTIVE).save(root / "palette.png")
    picture.convert("RGBA").save(root / "alpha.png")
    picture.save(root / "moving.gif", save_all=True, append_images=[photo(6, 40, 30)])
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(root / "turned.jpg", exif=exif)
    picture.save(root / "really_png.jpg", "PNG")
    photo(5, 40, 15).save(root / "tiny.png")
    photo(5, 40, 16).save(root / "small.png")


def test_oddities_are_told_and_used(tmp_path: Path, folder: Path) -> None:
    odd_files(tmp_path / "data" / "odd")
    write_photo(tmp_path / "data" / "fine" / "a.png", 1)
    records = by_path(scan(recognise(tmp_path / "data"), folder))
    assert all(record.usable for record in records.values())
    assert {path.partition("/")[2]: record.notes for path, record in records.items()} == {
        "a.png": (),
        "alpha.png": ("alpha",),
        "cmyk.jpg": ("cmyk",),
        "deep.png": ("16-bit",),
        "moving.gif": ("palette", "animated"),
        "palette.png": ("palette",),
        "really_png.jpg": ("wrong-ending",),
        "small.png": (),
        "tiny.png": ("tiny",),
        "turned.jpg": ("exif-rotated",),
    }
    assert (records["odd/turned.jpg"].width, records["odd/turned.jpg"].height) == (30, 40)


def test_a_16_bit_colour_png_is_noted(tmp_path: Path, folder: Path) -> None:
    # Pillow writes none: two pixels by hand, filter 0, 6 bytes each.
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
    row = b"\0" + struct.pack(">6H", 65535, 0, 32768, 0, 65535, 0)
    content += chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    path = write_photo(tmp_path / "data" / "x" / "a.png", 1)
    write_photo(tmp_path / "data" / "y" / "b.png", 1)
    path.write_bytes(content)
    record = by_path(scan(recognise(tmp_path / "data"), folder))["x/a.png"]
    assert record.notes == ("16-bit", "tiny")
    upper = Image.fromarray(np.array([[[255, 0, 128], [0, 255, 0]]], np.uint8))
    lower = Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0]]], np.uint8))
    assert record.pixel_hash == pixel_hash(Deep(upper, lower))
    assert record.levels == Levels(0, 65535)


def test_unusable_files_have_a_reason_and_nothing_stops(tmp_path: Path, folder: Path) -> None:
    root = class_folders(tmp_path / "data", good=1, bad=0)
    (root / "bad").mkdir(exist_ok=True)
    whole = write_photo(root / "bad" / "half.jpg", 1, 200, 200)
    whole.write_bytes(whole.read_bytes()[:2000])
    (root / "bad" / "empty.jpg").touch()
    (root / "bad" / "text.jpg").write_text("hello")
    (root / "bad" / "gone.jpg").symlink_to(root / "nowhere")
    os.mkfifo(root / "bad" / "pipe.png")
    odd_name = os.fsdecode(b"caf\xe9 \x1b[31m\n.jpg")
    (root / "bad" / odd_name).write_bytes(b"x")
    records = by_path(scan(recognise(root), folder))
    assert {p: r.problem for p, r in records.items()} == {
        "bad/half.jpg": "the file is truncated: it ends early",
        "bad/empty.jpg": "the file is empty",
        "bad/text.jpg": "its content is no image of a known format",
        "bad/gone.jpg": "there is no such file",
        "bad/pipe.png": "it is no regular file",
        f"bad/{odd_name}": "its content is no image of a known format",
        "good/0.png": None,
    }


def test_a_second_scan_reads_only_what_changed(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(tmp_path / "data", cats=3, dogs=2)
    first = scan(recognise(root), folder)
    read = counted_reads(monkeypatch)
    assert scan(recognise(root), folder) == first
    assert read == []
    write_photo(root / "cats" / "1.png", 99)
    os.utime(root / "dogs" / "0.png", ns=(1, 1))
    again = by_path(scan(recognise(root), folder))
    assert sorted(read) == ["0.png", "1.png"]
    assert again["cats/1.png"].pixel_hash == pixel_hash(photo(99))
    assert again["dogs/0.png"].modified_ns == 1


def test_new_files_come_in_their_place_among_those_that_stand(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(tmp_path / "data", cats=3, dogs=3)
    scan(recognise(root), folder)
    write_photo(root / "cats" / "00.png", 50)
    write_photo(root / "dogs" / "1.png", 51)
    write_photo(root / "dogs" / "9.png", 52)
    read = counted_reads(monkeypatch)
    source = recognise(root)
    records = scan(source, folder)
    assert [record.path for record in records] == [item.path for item in source.items]
    assert sorted(read) == ["00.png", "1.png", "9.png"]
    assert by_path(records)["dogs/9.png"].pixel_hash == pixel_hash(photo(52))


def test_what_is_known_already_is_not_written_again(tmp_path: Path, folder: Path) -> None:
    root = class_folders(tmp_path / "data", cats=2, dogs=2)
    (root / "cats" / "empty.jpg").touch()
    first = scan(recognise(root), folder)
    before = (folder / CACHE_NAME).read_bytes()
    assert scan(recognise(root), folder) == first
    assert (folder / CACHE_NAME).read_bytes() == before


def test_thumbnails_come_back_whole(tmp_path: Path, folder: Path) -> None:
    for label, seed in (("a", 1), ("b", 2)):
        write_photo(tmp_path / "data" / label / "1.jpg", seed, 100, 64)
    first = scan(recognise(tmp_path / "data"), folder)
    again = scan(recognise(tmp_path / "data"), folder)
    assert [r.thumbnail for r in again] == [r.thumbnail for r in first]
    assert [len(r.thumbnail) for r in again] == [256, 256]


def test_words_that_many_records_share_are_held_once(tmp_path: Path, folder: Path) -> None:
    root = class_folders(tmp_path / "data", cats=1, dogs=1)
    scan(recognise(root), folder)
    one, other = scan(recognise(root), folder)
    assert one.format is other.format
    assert one.mode is other.mode


def test_labels_come_from_the_source_not_from_an_earlier_scan(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class_folders(tmp_path, images=2)
    table = tmp_path / "labels.csv"
    table.write_text("path,label\nimages/0.png,cat\nimages/1.png,dog\n")
    scan(recognise(table), folder)
    table.write_text("path,label,split\nimages/0.png,ape,train\nimages/1.png,dog,train\n"
                     "images/0.png,ape,train\n")  # fmt: skip
    read = counted_reads(monkeypatch)
    records = scan(recognise(table), folder)
    assert [record.label for record in records] == ["ape", "dog"]
    assert read == []


def test_problems_are_looked_at_again(tmp_path: Path, folder: Path) -> None:
    root = class_folders(tmp_path / "data", cats=1, dogs=1)
    (root / "cats" / "late.png").symlink_to(tmp_path / "late.png")
    assert not by_path(scan(recognise(root), folder))["cats/late.png"].usable
    photo(7).save(tmp_path / "late.png")
    assert by_path(scan(recognise(root), folder))["cats/late.png"].usable


def test_an_interrupted_scan_goes_on(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(tmp_path / "data", cats=20, dogs=20)
    with pytest.raises(KeyboardInterrupt):
        scan(recognise(root), folder, stop_at("scan", 15))
    kept = len((folder / CACHE_NAME).read_text().splitlines()) - 1
    assert kept == 15
    read = counted_reads(monkeypatch)
    records = scan(recognise(root), folder)
    assert (len(records), len(read)) == (40, 25)
    assert all(record.usable for record in records)


def test_a_torn_last_line_is_read_again(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(tmp_path / "data", cats=3, dogs=2)
    first = scan(recognise(root), folder)
    cache = folder / CACHE_NAME
    cache.write_bytes(cache.read_bytes()[:-30])
    read = counted_reads(monkeypatch)
    assert scan(recognise(root), folder) == first
    assert read == ["1.png"]
    read.clear()
    assert scan(recognise(root), folder) == first
    assert read == []


@pytest.mark.parametrize(
    "line",
    [
        "\0\0\0\0",
        "[]",
        "{}",
        '{"path": 3}',
        '{"path": "cats/0.png", "bytes": "many"}',
        '{"path": "cats/0.png", "thumbnail": "no hex"}',
        "é",
    ],
)
def test_foreign_lines_are_dropped(tmp_path: Path, folder: Path, line: str) -> None:
    root = class_folders(tmp_path / "data", cats=1, dogs=1)
    first = scan(recognise(root), folder)
    with (folder / CACHE_NAME).open("a") as file:
        file.write(line + "\n")
    assert scan(recognise(root), folder) == first
    assert len((folder / CACHE_NAME).read_text().splitlines()) == 3


def test_the_results_of_another_version_are_not_used(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(tmp_path / "data", cats=1, dogs=1)
    first = scan(recognise(root), folder)
    lines = (folder / CACHE_NAME).read_text().splitlines()
    lines[0] = json.dumps({"scan": 0})
    (folder / CACHE_NAME).write_text("\n".join(lines) + "\n")
    read = counted_reads(monkeypatch)
    assert scan(recognise(root), folder) == first
    assert len(read) == 2


def test_arrays_are_scanned_without_files(tmp_path: Path, folder: Path) -> None:
    grey = np.asarray(photo(1).convert("L"))
    path = tmp_path / "a.npz"
    np.savez(path, x_train=np.stack([grey, grey + 1]), y_train=[0, 1],
             x_test=grey[None], y_test=[0])  # fmt: skip
    records = by_path(scan(recognise(path), folder))
    assert not (folder / CACHE_NAME).exists()
    assert records["train/00000"] == Record(
        "train/00000", "0", "train", 480, path.stat().st_mtime_ns,
        width=24, height=20, format="npz", mode="L",
        pixel_hash=pixel_hash(photo(1).convert("L")),
    )  # fmt: skip
    assert records["test/00000"].pixel_hash == records["train/00000"].pixel_hash
    assert records["train/00001"].pixel_hash != records["train/00000"].pixel_hash


def test_the_hash_is_of_pixels_and_size_alone() -> None:
    picture = photo(1)
    assert pixel_hash(picture) == pixel_hash(picture.copy())
    assert len(pixel_hash(picture)) == 32
    wide = Image.frombytes("RGB", (20, 24), picture.tobytes())
    assert pixel_hash(wide) != pixel_hash(picture)
    grey = picture.convert("L")
    assert pixel_hash(grey) == pixel_hash(grey.convert("RGB"))


def test_progress_ends_at_the_total(tmp_path: Path, folder: Path) -> None:
    told: list[tuple[str, int, int]] = []
    scan(recognise(class_folders(tmp_path / "data", a=2, b=1)), folder, lambda *s: told.append(s))
    assert told == [("scan", 1, 3), ("scan", 2, 3), ("scan", 3, 3)]
    source = recognise(tmp_path / "data")
    told.clear()
    scan(source, folder, lambda *s: told.append(s))
    phases = ("look for changes", "scan")
    assert told == [(phase, done, 3) for phase in phases for done in (1, 2, 3)]


# Whether a file changed


def swap(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def test_files_that_were_swapped_are_read_again(tmp_path: Path, folder: Path) -> None:
    root = tmp_path / "data"
    files = [write_photo(root / label / "1.bmp", seed) for seed, label in enumerate("ab")]
    for file in files:
        os.utime(file, ns=(10**18, 10**18))  # exports give all files one time
    before = by_path(scan(recognise(root), folder))
    swap(*files)
    after = by_path(scan(recognise(root), folder))
    assert after["a/1.bmp"].stamp[:2] == before["a/1.bmp"].stamp[:2]  # size and time say nothing
    assert after["a/1.bmp"].pixel_hash == before["b/1.bmp"].pixel_hash
    assert after["b/1.bmp"].pixel_hash == before["a/1.bmp"].pixel_hash


@pytest.mark.parametrize("at", [0, 4095, -4096, -1])
def test_the_ends_of_a_file_are_looked_at(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """On file systems where neither inode nor time of status is to be trusted."""
    root = class_folders(tmp_path / "data", a=1, b=1)
    file = root / "a" / "0.png"
    file.write_bytes(file.read_bytes() + bytes(10_000))  # behind the image, where nobody reads
    monkeypatch.setattr(scan_module, "stamp_of", lambda status: (status.st_size, 1, 2, 3))
    scan(recognise(root), folder)
    read = counted_reads(monkeypatch)
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)
    scan(recognise(root), folder)
    assert read == ["0.png"]


def test_what_is_the_same_in_all_of_that_is_not_read_again(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(tmp_path / "data", a=2, b=2)
    scan(recognise(root), folder)
    read = counted_reads(monkeypatch)
    scan(recognise(root), folder)
    assert read == []
    os.utime(root / "a" / "0.png", ns=(10**18, 10**18))
    (root / "b" / "1.png").chmod(0o600)  # its time of status alone
    scan(recognise(root), folder)
    assert read == ["0.png", "1.png"]
