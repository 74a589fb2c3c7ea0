"""The scan makes the rows of the pack: each image is decoded once, and the bits are the same."""

import errno
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_files import class_folders, photo, png16, stop_at, write_photo
from PIL import Image

from workbench.datasets import scan_pack as scan_pack_module
from workbench.datasets.image_files import ImageHeader
from workbench.datasets.manifest import make_manifest_rows
from workbench.datasets.pack import build_pack
from workbench.datasets.prepare import PreparedData, inspect, prepare, prepare_from_manifest
from workbench.datasets.scan import scan
from workbench.datasets.scan_pack import KEYS_NAME, ROWS_NAME, ScanPack, ScanRows, read_scan_rows
from workbench.datasets.sources import source as source_module
from workbench.datasets.sources.opening import open_source
from workbench.datasets.split import assign
from workbench.datasets.store import clean, list_datasets
from workbench.errors import UserError
from workbench.experiment.sections import DataSpec, SplitSpec
from workbench.paths import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def spec(source: Path, **values: Any) -> DataSpec:
    return DataSpec(source=str(source), **{"image_size": (10, 12), **values})


# What is packed


def odd_photos(root: Path) -> Path:
    """Files of many kinds; a copy, a copy with another label, and damaged ones."""
    class_folders(root, cats=6, dogs=6)
    large = [write_photo(root / "cats" / f"large-{n}.jpg", 50 + n, 90 + n, 70) for n in range(3)]
    exif = Image.Exif()
    exif[0x0112] = 6
    photo(60, 100, 60).save(root / "dogs" / "turned.jpg", exif=exif)
    photo(61, 100, 60).convert("L").save(root / "dogs" / "grey.jpg")
    photo(62, 30, 40).convert("L").save(root / "cats" / "grey.png")
    photo(63, 30, 40).convert("CMYK").save(root / "cats" / "cmyk.jpg")
    photo(64).convert("RGBA").save(root / "dogs" / "alpha.png")
    photo(65).convert("P").save(root / "dogs" / "palette.png")
    photo(66).save(root / "dogs" / "moving.gif", save_all=True, append_images=[photo(67)])
    (root / "cats" / "copy.jpg").write_bytes(large[0].read_bytes())
    (root / "dogs" / "conflict.jpg").write_bytes(large[1].read_bytes())
    (root / "cats" / "half.jpg").write_bytes(large[2].read_bytes()[:1000])
    (root / "dogs" / "text.png").write_text("hello")
    return root


def deep_photos(root: Path) -> Path:
    """Some images of 16 bits among others."""
    class_folders(root, cats=5, dogs=5)
    rng = np.random.default_rng(1)
    for number in range(4):
        values = rng.integers(100, 4000, (20, 24, (number % 2) * 2 + 1), np.uint16)
        (root / "cats" / f"deep-{number}.png").write_bytes(png16(values))
    return root


def arrays(root: Path) -> Path:
    images = np.random.default_rng(1).integers(0, 256, (30, 20, 24, 3), np.uint8)
    root.mkdir()
    labels = [0, 1] * 15
    np.savez(
        root / "a.npz",
        x_train=images[:20], y_train=labels[:20], x_test=images[20:], y_test=labels[20:],
    )  # fmt: skip
    return root / "a.npz"


def table(root: Path) -> Path:
    class_folders(root / "elsewhere", cats=6, dogs=6)
    names = [f"elsewhere/{label}/{n}.png,{label}" for label in ("dogs", "cats") for n in range(6)]
    (root / "labels.csv").write_text("\n".join(["path,label", *names, "gone.png,cats"]) + "\n")
    return root / "labels.csv"


SOURCES = {"odd": odd_photos, "deep": deep_photos, "npz": arrays, "csv": table}


def packed_alone(data: DataSpec, folder: Path) -> tuple[bytes, str]:
    """Return bytes and name of a pack that is made after a scan, from the images."""
    folder.mkdir()
    source = open_source(data.source)
    records = scan(source, folder)
    rows = make_manifest_rows(records, assign(records, data.split).splits)
    path = build_pack(source.root, rows, data, folder, scanned=records)
    return path.read_bytes(), path.name


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*scan-pack*"))


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("decode", ["exact", "fast"])
@pytest.mark.parametrize("resize", ["stretch", "pad"])
@pytest.mark.parametrize("kind", SOURCES)
def test_the_pack_of_the_scan_has_the_bytes_of_one_made_alone(
    kind: str, resize: str, decode: str, channels: int, tmp_path: Path, workspace: Workspace
) -> None:
    data = spec(SOURCES[kind](tmp_path / "data"), resize=resize, decode=decode, channels=channels)
    content, name = packed_alone(data, tmp_path / "alone")
    done = prepare(data, workspace)
    assert (done.pack.read_bytes(), done.pack.name) == (content, name)
    assert left(done.folder) == []


# Once


class Decoded:
    """Counts what is decoded: names of files in full, and reduced; and rows that are made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full: Counter[bytes] = Counter()
        self.reduced: Counter[bytes] = Counter()
        self.rows = 0
        decode, make = source_module.decode_full, scan_pack_module.to_array

        def counted(source: Path | bytes, at_least: Any = None) -> Any:
            content = source if isinstance(source, bytes) else source.read_bytes()
            (self.reduced if at_least else self.full)[content] += 1
            return decode(source, at_least)

        def made(*arguments: Any) -> np.ndarray:
            self.rows += 1
            return make(*arguments)

        monkeypatch.setattr(source_module, "decode_full", counted)
        monkeypatch.setattr(scan_pack_module, "to_array", made)

    def counts(self) -> tuple[int, int, int]:
        """Return how often something was decoded in full, reduced, and made a row."""
        return sum(self.full.values()), sum(self.reduced.values()), self.rows


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Decoded:
    return Decoded(monkeypatch)


def photographs(root: Path, small: int = 6, large: int = 6) -> Path:
    """JPEGs: small ones that fast decoding reads in full, and large ones that it reduces."""
    for label, seed in (("cats", 0), ("dogs", 100)):
        for number in range(small):
            write_photo(root / label / f"small-{number}.jpg", seed + number, 23, 19)
        for number in range(large):
            write_photo(root / label / f"large-{number}.jpg", seed + 50 + number, 24, 20)
    return root


@pytest.mark.parametrize(("decode", "reduced"), [("exact", 0), ("fast", 12)])
def test_each_image_is_decoded_once(
    decode: str, reduced: int, tmp_path: Path, workspace: Workspace, decoded: Decoded
) -> None:
    """Fast decoding has other pixels of a large JPEG: these it reads besides."""
    data = spec(photographs(tmp_path / "data"), decode=decode)
    done = prepare(data, workspace)
    assert len(done.rows) == 24
    assert decoded.counts() == (24, reduced, 24)
    assert set(decoded.full.values()) == {1}
    assert done.notes == ()


def test_only_images_of_16_bits_are_decoded_again(
    tmp_path: Path, workspace: Workspace, decoded: Decoded
) -> None:
    done = prepare(spec(deep_photos(tmp_path / "data")), workspace)
    assert decoded.counts() == (18, 0, 14)
    again = [Path(row.path).name for row in done.rows if row.levels]
    assert again == [f"deep-{number}.png" for number in range(4)]
    assert not any("decoded again" in note for note in done.notes)


SOME = SplitSpec(train=0.5, validation=0.1, test=0.1)


@pytest.mark.parametrize("at_once", [1, 1000, 1 << 24])
def test_images_that_are_left_out_leave_no_gap(
    at_once: int,
    tmp_path: Path,
    workspace: Workspace,
    decoded: Decoded,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = spec(odd_photos(tmp_path / "data"), split=SOME)
    content, _ = packed_alone(data, tmp_path / "alone")
    monkeypatch.setattr(scan_pack_module, "_MOVED_BYTES", at_once)
    before = decoded.rows
    done = prepare(data, workspace)
    assert decoded.rows - before == 24  # of the 26 files, two are damaged
    assert len(done.rows) == 16
    assert done.pack.read_bytes() == content


def packed_row(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.resize((12, 10), Image.Resampling.BILINEAR))


def test_a_small_part_of_many_images_is_decoded_by_itself(
    tmp_path: Path, workspace: Workspace, decoded: Decoded
) -> None:
    """A row of each image, most of them for nothing, would cost more."""
    root = photographs(tmp_path / "data")
    prepare(spec(root, split=SplitSpec(train=3, validation=1, test=1)), workspace)
    assert decoded.counts() == (24 + 10, 0, 10)


# Between the choice of the images and of their size


def test_a_scan_packs_for_the_recommended_preset(
    tmp_path: Path, workspace: Workspace, decoded: Decoded
) -> None:
    root = class_folders(tmp_path / "data", cats=10, dogs=10)  # which keep their size
    inspect(root, workspace)
    assert decoded.counts() == (20, 0, 20)
    (summary,) = list_datasets(workspace)
    assert summary.packs == {ROWS_NAME: 128 + 20 * 20 * 24 * 3}
    done = prepare(spec(root, image_size=(20, 24)), workspace)
    assert decoded.counts() == (20, 0, 20)
    content, _ = packed_alone(spec(root, image_size=(20, 24)), tmp_path / "alone")
    assert done.pack.read_bytes() == content
    assert left(done.folder) == []
    assert done.notes == ()


def test_another_size_decodes_again_and_says_so(
    tmp_path: Path, workspace: Workspace, decoded: Decoded
) -> None:
    root = class_folders(tmp_path / "data", cats=10, dogs=10)
    inspect(root, workspace)
    note = (
        "The images were decoded again: the scan had not packed them at 10 x 12 x 3 "
        "(stretch, exact)."
    )
    done = prepare(spec(root), workspace)
    assert done.notes == (note,)
    assert decoded.counts() == (40, 0, 40)
    assert left(done.folder) == []
    assert prepare(spec(root), workspace).notes == ()
    assert prepare(spec(root, decode="fast"), workspace).notes == (note.replace("exact", "fast"),)


def test_rows_of_the_scan_are_cleaned(tmp_path: Path, workspace: Workspace) -> None:
    inspect(class_folders(tmp_path / "data", cats=4, dogs=4), workspace)
    assert left(workspace.data / "data") == [KEYS_NAME, ROWS_NAME]
    removed = clean(workspace, "data")
    assert removed.removed == (ROWS_NAME, KEYS_NAME)
    assert left(workspace.data / "data") == []


def test_a_run_without_its_pack_takes_rows_of_a_scan(
    tmp_path: Path, workspace: Workspace, decoded: Decoded
) -> None:
    root = class_folders(tmp_path / "data", cats=5, dogs=5)
    first = prepare(spec(root), workspace)
    content = first.pack.read_bytes()
    clean(workspace, "data", scan=True)
    again = prepare_from_manifest(spec(root), first.rows, workspace)
    assert again.pack.read_bytes() == content
    assert decoded.counts() == (20, 0, 20)


# Interrupted


def interrupted(data: DataSpec, workspace: Workspace, phase: str, number: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        prepare(data, workspace, stop_at(phase, number))


@pytest.mark.parametrize("number", [1, 7, 20])
def test_an_interrupted_scan_goes_on_where_it_was(
    number: int, tmp_path: Path, workspace: Workspace, decoded: Decoded
) -> None:
    root = odd_photos(tmp_path / "data")
    content, _ = packed_alone(spec(root), tmp_path / "alone")
    interrupted(spec(root), workspace, "scan", number)
    kept = len(lines_of(workspace))
    assert kept >= number - 2  # two files are damaged
    before = decoded.rows
    done = prepare(spec(root), workspace)
    assert done.pack.read_bytes() == content
    assert decoded.rows - before == 24 - kept
    assert left(done.folder) == []


def keys_of(workspace: Workspace) -> Path:
    return workspace.data / "data" / KEYS_NAME


def lines_of(workspace: Workspace) -> list[str]:
    """Return the keys of the rows."""
    return [line for line in keys_of(workspace).read_text().splitlines() if len(line) == 32]


def test_new_files_come_in_their_place(
    tmp_path: Path, workspace: Workspace, decoded: Decoded
) -> None:
    root = class_folders(tmp_path / "data", cats=6, dogs=6)
    interrupted(spec(root), workspace, "scan", 8)
    write_photo(root / "cats" / "00.png", 90)
    (root / "cats" / "3.png").unlink()
    write_photo(root / "cats" / "4.png", 91)
    content, _ = packed_alone(spec(root), tmp_path / "alone")
    before = decoded.rows
    assert prepare(spec(root), workspace).pack.read_bytes() == content
    assert decoded.rows - before == 12 - 8 + 2


def cut_keys(keys: Path, rows: Path) -> None:
    keys.write_bytes(keys.read_bytes()[:-10])


def cut_rows(keys: Path, rows: Path) -> None:
    rows.write_bytes(rows.read_bytes()[:-1])


def half_a_row_more(keys: Path, rows: Path) -> None:
    rows.write_bytes(rows.read_bytes() + b"x" * 100)


def no_keys(keys: Path, rows: Path) -> None:
    keys.unlink()


def no_rows(keys: Path, rows: Path) -> None:
    rows.unlink()


def garbage(keys: Path, rows: Path) -> None:
    keys.write_bytes(b"\xff[1]\n" + keys.read_bytes())


def power_cut(keys: Path, rows: Path) -> None:
    """Lose the rows that only the kernel held."""
    content = rows.read_bytes()
    rows.write_bytes(content[:128] + bytes(len(content) - 128))
    keys.write_text(keys.read_text().replace(boot_of(keys), "another boot"))


def boot_of(keys: Path) -> str:
    return keys.read_text().split('"boot": "')[1].split('"')[0]


@pytest.mark.parametrize(
    ("damage", "kept"),
    [
        (cut_keys, 7), (cut_rows, 7), (half_a_row_more, 8), (no_keys, 0), (no_rows, 0),
        (garbage, 0), (power_cut, 0),
    ],
)  # fmt: skip
def test_rows_count_where_they_are_certain(
    damage: Callable[[Path, Path], None],
    kept: int,
    tmp_path: Path,
    workspace: Workspace,
    decoded: Decoded,
) -> None:
    root = class_folders(tmp_path / "data", cats=6, dogs=6)
    content, _ = packed_alone(spec(root), tmp_path / "alone")
    interrupted(spec(root), workspace, "scan", 8)
    assert len(lines_of(workspace)) == 8
    damage(keys_of(workspace), workspace.data / "data" / ROWS_NAME)
    before = decoded.rows
    done = prepare(spec(root), workspace)
    assert done.pack.read_bytes() == content
    assert decoded.rows - before == 12 - kept
    assert left(done.folder) == []


def test_a_finished_scan_outlives_a_power_cut(
    tmp_path: Path, workspace: Workspace, decoded: Decoded
) -> None:
    root = class_folders(tmp_path / "data", cats=10, dogs=10)
    inspect(root, workspace)
    keys = keys_of(workspace)
    keys.write_text(keys.read_text().replace(boot_of(keys), "another boot"))
    prepare(spec(root, image_size=(20, 24)), workspace)
    assert decoded.rows == 20


class Killed(BaseException):
    """In place of a signal."""


@pytest.mark.parametrize("call", ["pwrite", "fsync", "replace"])
@pytest.mark.parametrize("split", [SplitSpec(), SOME])
def test_rows_that_were_becoming_a_pack_are_no_pack(
    split: SplitSpec,
    call: str,
    tmp_path: Path,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With images left out, rows move up in the file: half moved, none can be used."""
    data = spec(odd_photos(tmp_path / "data"), split=split)
    content, _ = packed_alone(data, tmp_path / "alone")
    become = ScanRows.become

    def killed(*arguments: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(os, call, kill)
            become(*arguments)

    def kill(*arguments: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(ScanRows, "become", killed)
        with pytest.raises(Killed):
            prepare(data, workspace)
    assert not list((workspace.data / "data").glob("pack-*"))
    assert prepare(data, workspace).pack.read_bytes() == content


# Changed between scan and pack, and a full disk


def at_the_end_of_the_scan(change: Callable[[], object]) -> Callable[[str, int, int], None]:
    def progress(phase: str, done: int, total: int) -> None:
        if phase == "scan" and done == total:
            change()

    return progress


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: write_photo(path, 77), "its content is different"),
        (Path.unlink, "there is no such file"),
        (lambda path: path.write_text("text"), "its content is not an image of a known format"),
    ],
)
def test_an_image_that_changed_since_the_scan_is_reported(
    change: Callable[[Path], object], reason: str, tmp_path: Path, workspace: Workspace
) -> None:
    root = class_folders(tmp_path / "data", cats=6, dogs=6)
    changing = at_the_end_of_the_scan(lambda: change(root / "dogs" / "3.png"))
    with pytest.raises(UserError) as refused:
        prepare(spec(root), workspace, changing)
    assert f"dogs/3.png changed since it was scanned: {reason}" in refused.value.message
    assert not list((workspace.data / "data").glob("pack-*"))


def test_an_image_that_was_only_touched_is_used(tmp_path: Path, workspace: Workspace) -> None:
    root = class_folders(tmp_path / "data", cats=6, dogs=6)
    content, _ = packed_alone(spec(root), tmp_path / "alone")
    touching = at_the_end_of_the_scan(lambda: os.utime(root / "dogs" / "3.png", ns=(1, 1)))
    assert prepare(spec(root), workspace, touching).pack.read_bytes() == content


def prepared_on_a_full_disk(
    data: DataSpec, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> PreparedData:
    """Prepare where no more than five rows can be written by the scan."""
    key, made = scan_pack_module.row_key, []

    def full(record: Any) -> str:
        made.append(record)
        if len(made) == 6:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return key(record)

    monkeypatch.setattr(scan_pack_module, "row_key", full)
    return prepare(data, workspace)


def test_a_disk_that_becomes_full_ends_the_packing_not_the_scan(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows make room again; whether that is enough for a pack is asked as ever."""
    root = class_folders(tmp_path / "data", cats=6, dogs=6)
    content, _ = packed_alone(spec(root), tmp_path / "alone")
    done = prepared_on_a_full_disk(spec(root), workspace, monkeypatch)
    assert done.pack.read_bytes() == content
    assert left(done.folder) == []


def test_another_error_of_the_disk_ends_the_scan(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(tmp_path / "data", cats=6, dogs=6)

    def failing(record: Any) -> str:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(scan_pack_module, "row_key", failing)
    with pytest.raises(UserError, match="cannot be written: Input/output error"):
        prepare(spec(root), workspace)


def test_rows_are_those_of_their_settings_alone(folder: Path, tmp_path: Path) -> None:
    root = class_folders(tmp_path / "data", cats=2, dogs=2)
    scan(open_source(root), folder, packing=ScanPack(folder, spec(root)))
    found = read_scan_rows(folder, spec(root, split=SplitSpec(seed=7)))
    assert found is not None
    assert (found.array()[2] == packed_row(root / "dogs" / "0.png")).all()
    for other in (
        {"image_size": (12, 10)}, {"channels": 1}, {"resize": "pad"}, {"decode": "fast"},
    ):  # fmt: skip
        assert read_scan_rows(folder, spec(root, **other)) is None


def test_a_scan_holds_small_files_and_not_large_ones(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records are the same either way."""
    root = odd_photos(tmp_path / "data")
    held = scan(open_source(root), folder)
    monkeypatch.setattr(source_module, "_HELD_BYTES", 0)
    (folder / "scan.jsonl").unlink()
    assert scan(open_source(root), folder) == held


@pytest.mark.parametrize("size", [(1, 1), (40, 30), (97, 75), (400, 300)])
@pytest.mark.parametrize("wanted", [(8, 8), (10, 60), (64, 20)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_fast_decoding_is_repeated_only_where_it_has_other_pixels(
    size: tuple[int, int], wanted: tuple[int, int], orientation: int, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    photo(1, *size).save(path, exif=exif)
    full, header = source_module.decode_full(path)
    reduced, _ = source_module.decode_full(path, wanted)
    assert isinstance(header, ImageHeader)
    assert (reduced != full) == scan_pack_module.has_other_pixels(header, wanted)
