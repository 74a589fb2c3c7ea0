"""The pack holds every image once, is complete or absent, and is never built twice."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from image_files import class_folders, photo, stop_at, write_photo

from workbench.datasets import pack as pack_module
from workbench.datasets.decoding import load_array
from workbench.datasets.manifest import ImageRecord, make_manifest_rows
from workbench.datasets.pack import build_pack, open_pack, pack_path
from workbench.datasets.scan import pixel_hash, scan
from workbench.datasets.sources.opening import open_source
from workbench.errors import UserError
from workbench.experiment.sections import DataSpec


def spec(**values: Any) -> DataSpec:
    return DataSpec(source="x", **{"image_size": (10, 12), **values})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return class_folders(tmp_path / "data", cats=6, dogs=5)


def rows_of(root: Path, folder: Path) -> tuple[ImageRecord, ...]:
    records = scan(open_source(root), folder)
    return make_manifest_rows(records, {record.path: "train" for record in records})


def packs(folder: Path) -> Sequence[str]:
    return sorted(p.name for p in folder.iterdir() if "pack-" in p.name)


def refusal(root: Path, rows: Sequence[ImageRecord], folder: Path, data: DataSpec) -> str:
    with pytest.raises(UserError) as refused:
        build_pack(root, rows, data, folder)
    return refused.value.message


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_images_lie_in_the_order_of_the_rows(
    root: Path, folder: Path, channels: int, resize: str
) -> None:
    rows, data = rows_of(root, folder), spec(channels=channels, resize=resize)
    pack = open_pack(build_pack(root, rows, data, folder))
    assert (pack.shape, pack.dtype) == ((11, 10, 12, channels), np.uint8)
    for image, row in zip(pack, rows, strict=True):
        assert (image == load_array(root / row.path, data)).all()


def test_a_pack_cannot_be_written_to(root: Path, folder: Path) -> None:
    pack = open_pack(build_pack(root, rows_of(root, folder), spec(), folder))
    assert isinstance(pack, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        pack[0] = 0


def test_the_name_depends_on_pixels_order_and_decoding(folder: Path, root: Path) -> None:
    rows = rows_of(root, folder)
    names = [
        pack_path(folder, some, data).name
        for some, data in (
            (rows, spec()),
            (rows[::-1], spec()),
            (rows[1:], spec()),
            (rows, spec(image_size=(12, 10))),
            (rows, spec(channels=1)),
            (rows, spec(resize="crop")),
            (rows, spec(decode="fast")),
        )
    ]
    assert len(set(names)) == len(names)
    other = [replace(row, label="other", split="test", path=f"x/{row.path}") for row in rows]
    assert pack_path(folder, other, spec()).name == names[0]


def test_the_name_stays_the_same_over_time(folder: Path) -> None:
    row = ImageRecord("a", "b", "train", 1, 1, 1, "0123456789abcdef" * 2)
    assert pack_path(folder, [row], spec()).name == "pack-8787129a80bd2545.npy"


def test_a_pack_is_built_once(root: Path, folder: Path) -> None:
    rows = rows_of(root, folder)
    path = build_pack(root, rows, spec(), folder)
    before = path.stat()
    steps: list[tuple[str, int, int]] = []
    assert build_pack(root / "gone", rows, spec(), folder, lambda *s: steps.append(s)) == path
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert steps == []


def test_a_pack_of_the_wrong_length_is_built_again(root: Path, folder: Path) -> None:
    rows = rows_of(root, folder)
    path = build_pack(root, rows, spec(), folder)
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    build_pack(root, rows, spec(), folder)
    assert path.read_bytes() == content


def test_an_interrupted_pack_leaves_nothing_and_starts_again(root: Path, folder: Path) -> None:
    rows = rows_of(root, folder)
    with pytest.raises(KeyboardInterrupt):
        build_pack(root, rows, spec(), folder, stop_at("pack", 5))
    assert packs(folder) == []
    steps: list[tuple[str, int, int]] = []
    path = build_pack(root, rows, spec(), folder, lambda *step: steps.append(step))
    assert packs(folder) == [path.name]
    assert steps == [("pack", done, 11) for done in range(1, 12)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda path: write_photo(path, 77), "its content is different"),
        (Path.unlink, "there is no such file"),
        (lambda path: path.write_text("text"), "its content is not an image of a known format"),
    ],
)
def test_a_changed_image_is_reported(
    root: Path, folder: Path, content: Callable[[Path], object], reason: str
) -> None:
    rows = rows_of(root, folder)
    content(root / "dogs" / "3.png")
    expected = f"dogs/3.png changed since it was scanned: {reason}"
    assert expected in refusal(root, rows, folder, spec())
    assert packs(folder) == []


@pytest.mark.parametrize("scanned", ["not", "before the change", "after the change"])
def test_a_changed_image_of_the_same_length_is_reported(
    root: Path, folder: Path, scanned: str
) -> None:
    path = root / "dogs" / "3.bmp"
    photo(1).save(path)
    rows, before = rows_of(root, folder), scan(open_source(root), folder)
    photo(2).save(path)
    after = scan(open_source(root), folder)
    records = {"not": [], "before the change": before, "after the change": after}[scanned]
    with pytest.raises(UserError, match=r"dogs/3\.bmp changed since it was scanned: its content"):
        build_pack(root, rows, spec(), folder, scanned=records)


def counted_hashes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A number for each image whose pixels are compared from now on."""
    compared: list[int] = []
    monkeypatch.setattr(
        pack_module, "pixel_hash", lambda image: compared.append(1) or pixel_hash(image)
    )
    return compared


def test_pixels_are_compared_only_where_a_file_is_not_as_just_scanned(
    root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = scan(open_source(root), folder)
    rows = make_manifest_rows(records, {record.path: "train" for record in records})
    compared = counted_hashes(monkeypatch)
    path = build_pack(root, rows, spec(), folder, scanned=records)
    content = path.read_bytes()
    assert compared == []
    path.unlink()
    os.utime(root / "dogs" / "3.png", ns=(1, 1))
    build_pack(root, rows, spec(), folder, scanned=records)
    assert len(compared) == 1
    path.unlink()
    compared.clear()
    build_pack(root, rows, spec(), folder)
    assert len(compared) == 11
    assert path.read_bytes() == content


def test_fast_decoding_packs_reduced_jpegs(tmp_path: Path, folder: Path) -> None:
    for label, seed in (("a", 1), ("b", 2)):
        write_photo(tmp_path / "jpegs" / label / "1.jpg", seed, 400, 300)
    rows = rows_of(tmp_path / "jpegs", folder)
    exact = open_pack(build_pack(tmp_path / "jpegs", rows, spec(), folder)).astype(int)
    fast = open_pack(build_pack(tmp_path / "jpegs", rows, spec(decode="fast"), folder)).astype(int)
    assert 0 < np.abs(exact - fast).mean() < 8
    write_photo(tmp_path / "jpegs" / "a" / "1.jpg", 3, 400, 300)
    (folder / "pack-x").touch()
    pack_path(folder, rows, spec(decode="fast")).unlink()
    assert "a/1.jpg changed" in refusal(tmp_path / "jpegs", rows, folder, spec(decode="fast"))


def test_arrays_are_packed_too(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "a.npz"
    images = np.arange(3 * 10 * 12, dtype=np.uint16).reshape(3, 10, 12).astype(np.uint8)
    np.savez(path, x_train=images[:2], y_train=[0, 1], x_test=images[2:], y_test=[1])
    rows = rows_of(path, folder)
    pack = open_pack(build_pack(path, rows, spec(channels=1), folder))
    assert (pack[..., 0] == images[[2, 0, 1]]).all()
    np.savez(path, x_train=images[:2] + 1, y_train=[0, 1], x_test=images[2:], y_test=[1])
    assert f"train/00000 of {path} changed since it was scanned: its content is" in refusal(
        path, rows, folder, spec()
    )
    assert "changed since it was scanned: it is not in the npz file" in refusal(
        path, [replace(rows[1], path="train/00009")], folder, spec()
    )


def test_too_small_a_disk_is_reported_before_anything_is_written(
    root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = 11 * 10 * 12 * 3 + 128
    rows = rows_of(root, folder)

    def free(size: int) -> None:
        usage = SimpleNamespace(free=size)
        monkeypatch.setattr(pack_module.shutil, "disk_usage", lambda path: usage)

    free(needed - 1)
    message = refusal(root, rows, folder, spec())
    assert "The pack needs 4.1 kB" in message
    assert "has 4.1 kB free" in message
    assert packs(folder) == []
    free(needed)
    assert build_pack(root, rows, spec(), folder).exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_disk_that_becomes_full_is_reported_and_nothing_is_kept(root: Path, folder: Path) -> None:
    rows = rows_of(root, folder)
    path = pack_path(folder, rows, spec())
    temporary = folder / f".{path.stem}.{os.getpid()}.tmp.npy"
    temporary.symlink_to("/dev/full")
    assert "The disk became full" in refusal(root, rows, folder, spec())
    assert packs(folder) == []


def test_a_reduced_jpeg_that_is_another_is_named(tmp_path: Path, folder: Path) -> None:
    """A swap leaves size and time as they were, and reduced pixels have no hash to compare."""
    root = tmp_path / "jpegs"
    files = [write_photo(root / label / "1.jpg", seed, 80, 64) for seed, label in enumerate("ab")]
    size = max(file.stat().st_size for file in files)
    for file in files:
        file.write_bytes(file.read_bytes().ljust(size, b"\0"))
        os.utime(file, ns=(10**18, 10**18))
    records = scan(open_source(root), folder)
    rows = make_manifest_rows(records, {record.path: "train" for record in records})
    aside = tmp_path / "aside"
    files[0].rename(aside)
    files[1].rename(files[0])
    aside.rename(files[1])
    data = spec(image_size=(8, 8), decode="fast")
    with pytest.raises(UserError, match="changed since it was scanned: its content is different"):
        build_pack(root, rows, data, folder, scanned=records)
