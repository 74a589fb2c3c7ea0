"""The scan reports problems and oddities, and never reads an unchanged file twice."""

import os
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from image_files import class_folders, photo, png16, stop_at, write_photo
from PIL import Image

from workbench.datasets.manifest import ScanRecord
from workbench.datasets.measures import reduced
from workbench.datasets.scan import CACHE_NAME, difference_hash, pixel_hash, scan
from workbench.datasets.sixteen_bit import Levels, SixteenBitImage
from workbench.datasets.sources.opening import open_source
from workbench.datasets.sources.source import FileImages, StoredImage


def counted_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files that are read from now on."""
    names: list[str] = []
    original = FileImages.stored

    def stored(images: FileImages, path: str) -> StoredImage:
        names.append(Path(path).name)
        return original(images, path)

    monkeypatch.setattr(FileImages, "stored", stored)
    return names


def by_path(records: list[ScanRecord]) -> dict[str, ScanRecord]:
    return {record.path: record for record in records}


def test_a_record_describes_the_file(tmp_path: Path, folder: Path) -> None:
    root = class_folders(tmp_path / "data", cats=1, dogs=1)
    write_photo(root / "dogs" / "big.jpg", 9, 100, 64)
    records = by_path(scan(open_source(root), folder))
    assert list(records) == ["cats/0.png", "dogs/0.png", "dogs/big.jpg"]
    small = records["cats/0.png"]
    status = (root / "cats/0.png").stat()
    assert small == ScanRecord(
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
    grey = reduced(Image.open(root / "dogs/big.jpg").convert("L"))
    assert big.dhash == difference_hash(grey)
    assert len(big.thumbnail) == 256


def test_small_images_have_no_perceptual_hash(tmp_path: Path, folder: Path) -> None:
    for name, size in (("a", (64, 64)), ("b", (63, 64)), ("c", (64, 63))):
        write_photo(tmp_path / "data" / "x" / f"{name}.png", 1, *size)
    write_photo(tmp_path / "data" / "y" / "d.png", 2)
    records = by_path(scan(open_source(tmp_path / "data"), folder))
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


def test_oddities_are_reported_and_used(tmp_path: Path, folder: Path) -> None:
    odd_files(tmp_path / "data" / "odd")
    write_photo(tmp_path / "data" / "fine" / "a.png", 1)
    records = by_path(scan(open_source(tmp_path / "data"), folder))
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
    values = np.array([[[65535, 0, 32768], [0, 65535, 0]]], np.uint16)
    path = write_photo(tmp_path / "data" / "x" / "a.png", 1)
    write_photo(tmp_path / "data" / "y" / "b.png", 1)
    path.write_bytes(png16(values))
    record = by_path(scan(open_source(tmp_path / "data"), folder))["x/a.png"]
    assert record.notes == ("16-bit", "tiny")
    upper, lower = (Image.fromarray((values >> n & 0xFF).astype(np.uint8)) for n in (8, 0))
    assert record.pixel_hash == pixel_hash(SixteenBitImage(upper, lower))
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
    records = by_path(scan(open_source(root), folder))
    assert {p: r.problem for p, r in records.items()} == {
        "bad/half.jpg": "the file is truncated: it ends early",
        "bad/empty.jpg": "the file is empty",
        "bad/text.jpg": "its content is not an image of a known format",
        "bad/gone.jpg": "there is no such file",
        "bad/pipe.png": "it is not a regular file",
        f"bad/{odd_name}": "its content is not an image of a known format",
        "good/0.png": None,
    }


def test_a_second_scan_reads_only_what_changed(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(tmp_path / "data", cats=3, dogs=2)
    first = scan(open_source(root), folder)
    read = counted_reads(monkeypatch)
    assert scan(open_source(root), folder) == first
    assert read == []
    write_photo(root / "cats" / "1.png", 99)
    os.utime(root / "dogs" / "0.png", ns=(1, 1))
    (root / "cats" / "2.png").chmod(0o600)  # changes only the time of status
    again = by_path(scan(open_source(root), folder))
    assert sorted(read) == ["0.png", "1.png", "2.png"]
    assert again["cats/1.png"].pixel_hash == pixel_hash(photo(99))
    assert again["dogs/0.png"].modified_ns == 1


def test_new_files_come_in_their_place_among_those_that_stand(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(tmp_path / "data", cats=3, dogs=3)
    scan(open_source(root), folder)
    write_photo(root / "cats" / "00.png", 50)
    write_photo(root / "dogs" / "1.png", 51)
    write_photo(root / "dogs" / "9.png", 52)
    read = counted_reads(monkeypatch)
    source = open_source(root)
    records = scan(source, folder)
    assert [record.path for record in records] == [item.path for item in source.items]
    assert sorted(read) == ["00.png", "1.png", "9.png"]
    assert by_path(records)["dogs/9.png"].pixel_hash == pixel_hash(photo(52))


def test_known_records_are_not_written_again(tmp_path: Path, folder: Path) -> None:
    root = class_folders(tmp_path / "data", cats=2, dogs=2)
    (root / "cats" / "empty.jpg").touch()
    write_photo(root / "dogs" / "big.jpg", 1, 100, 64)  # with a thumbnail
    first = scan(open_source(root), folder)
    before = (folder / CACHE_NAME).read_bytes()
    assert scan(open_source(root), folder) == first
    assert (folder / CACHE_NAME).read_bytes() == before


def test_strings_that_many_records_share_are_stored_once(tmp_path: Path, folder: Path) -> None:
    root = class_folders(tmp_path / "data", cats=1, dogs=1)
    scan(open_source(root), folder)
    one, other = scan(open_source(root), folder)
    assert one.format is other.format
    assert one.mode is other.mode


def test_labels_come_from_the_source_not_from_an_earlier_scan(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class_folders(tmp_path, images=2)
    table = tmp_path / "labels.csv"
    table.write_text("path,label\nimages/0.png,cat\nimages/1.png,dog\n")
    scan(open_source(table), folder)
    table.write_text("path,label,split\nimages/0.png,ape,train\nimages/1.png,dog,train\n"
                     "images/0.png,ape,train\n")  # fmt: skip
    read = counted_reads(monkeypatch)
    records = scan(open_source(table), folder)
    assert [record.label for record in records] == ["ape", "dog"]
    assert read == []


def test_unusable_files_are_read_again(tmp_path: Path, folder: Path) -> None:
    root = class_folders(tmp_path / "data", cats=1, dogs=1)
    (root / "cats" / "late.png").symlink_to(tmp_path / "late.png")
    assert not by_path(scan(open_source(root), folder))["cats/late.png"].usable
    photo(7).save(tmp_path / "late.png")
    assert by_path(scan(open_source(root), folder))["cats/late.png"].usable


def test_an_interrupted_scan_resumes(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(tmp_path / "data", cats=20, dogs=20)
    with pytest.raises(KeyboardInterrupt):
        scan(open_source(root), folder, stop_at("scan", 15))
    kept = len((folder / CACHE_NAME).read_text().splitlines()) - 1
    assert kept == 15
    read = counted_reads(monkeypatch)
    records = scan(open_source(root), folder)
    assert (len(records), len(read)) == (40, 25)
    assert all(record.usable for record in records)


def test_a_torn_last_line_is_read_again(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(tmp_path / "data", cats=3, dogs=2)
    first = scan(open_source(root), folder)
    cache = folder / CACHE_NAME
    cache.write_bytes(cache.read_bytes()[:-30])
    read = counted_reads(monkeypatch)
    assert scan(open_source(root), folder) == first
    assert read == ["1.png"]
    read.clear()
    assert scan(open_source(root), folder) == first
    assert read == []
