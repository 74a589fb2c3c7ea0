"""Images of 16 bits keep what they hold: scaled by the range of the training images, all alike."""

import io
from pathlib import Path

import numpy as np
import pytest
from image_files import png16
from PIL import Image

from workbench.datasets.decoding import decode, decode_for_display, load_array
from workbench.datasets.manifest import (
    ScanRecord,
    make_manifest_rows,
    manifest_levels,
    read_manifest,
    write_manifest,
)
from workbench.datasets.pack import open_pack, pack_path
from workbench.datasets.prepare import prepare, prepare_from_manifest
from workbench.datasets.scan import pixel_hash, scan_image
from workbench.datasets.sixteen_bit import FULL, Levels
from workbench.datasets.sources.source import FileImages, Item
from workbench.experiment.sections import DataSpec, SplitSpec
from workbench.paths import Workspace

TWELVE_BITS = Levels(0, 4095)


def noise(channels: int, top: int, seed: int = 0, side: int = 8) -> np.ndarray:
    """Values from 0 to `top`, both of them there: uint16, (side, side, channels)."""
    values = np.random.default_rng(seed).integers(0, top + 1, (side, side, channels))
    values[0, 0], values[0, 1] = 0, top
    return values.astype(np.uint16)


def scaled(values: np.ndarray, levels: Levels) -> np.ndarray:
    """What `Deep.scaled` has to give, in floating point."""
    high = max(levels.high, levels.low + 1)
    inside = np.clip(values.astype(float), levels.low, high) - levels.low
    return np.floor(inside * 255 / (high - levels.low) + 0.5).astype(int)


def pixels_of(image: Image.Image) -> np.ndarray:
    found = np.asarray(image).astype(int)
    return found if found.ndim == 3 else found[..., None]


# Scaling


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("levels", [FULL, TWELVE_BITS, Levels(100, 355), Levels(7, 7)])
def test_values_between_the_levels_are_scaled_and_others_clipped(
    channels: int, levels: Levels
) -> None:
    values = noise(channels, 5000)
    found = decode(png16(values), levels=levels)
    assert found.mode == ("L" if channels == 1 else "RGB")
    assert np.array_equal(pixels_of(found), scaled(values, levels))


def test_a_12_bit_image_keeps_256_levels() -> None:
    values = np.arange(4096, dtype=np.uint16).reshape(64, 64, 1)
    found = decode(png16(values), levels=TWELVE_BITS)
    assert len(np.unique(np.asarray(found))) == 256
    assert len(np.unique(np.asarray(decode(png16(values))))) == 17  # divided by 257


def test_without_levels_it_is_what_older_models_were_given() -> None:
    grey, colour = noise(1, 65535), noise(3, 65535)
    assert np.array_equal(pixels_of(decode(png16(grey))), (grey.astype(int) + 128) // 257)
    assert np.array_equal(pixels_of(decode(png16(colour))), colour >> 8)


def test_to_look_at_an_image_is_scaled_by_its_own_range() -> None:
    values = noise(1, 300)
    assert np.array_equal(
        pixels_of(decode_for_display(png16(values))), scaled(values, Levels(0, 300))
    )


@pytest.mark.parametrize("kind", ["TIFF", "PNG"])
def test_grey_of_other_files_is_read_alike(kind: str) -> None:
    values = noise(1, 4095)[..., 0]
    file = io.BytesIO()
    Image.fromarray(values).save(file, kind)
    found = decode(file.getvalue(), levels=TWELVE_BITS)
    assert np.array_equal(np.asarray(found), scaled(values, TWELVE_BITS))


@pytest.mark.parametrize("channels", [2, 4])
def test_what_is_transparent_lies_over_white(channels: int) -> None:
    values = noise(channels, 4095)
    values[..., -1] = 65535
    values[3, 3, -1] = 0
    found = pixels_of(decode(png16(values), levels=TWELVE_BITS))
    assert (found[3, 3] == 255).all()
    found[3, 3] = scaled(values, TWELVE_BITS)[3, 3, :-1]
    assert np.array_equal(found, scaled(values, TWELVE_BITS)[..., :-1])


def test_an_image_of_8_bits_that_is_stored_in_16_is_the_same_picture(tmp_path: Path) -> None:
    plain = np.random.default_rng(1).integers(0, 256, (9, 7, 3), np.uint8)
    (tmp_path / "a.png").write_bytes(png16(plain.astype(np.uint16) * 257))
    record = scan_image(FileImages(tmp_path), Item("a.png", "x"))[0]
    assert record.levels is None
    assert record.pixel_hash == pixel_hash(Image.fromarray(plain))
    assert np.array_equal(decode(tmp_path / "a.png", levels=TWELVE_BITS), plain)


def test_images_that_differ_only_in_their_lower_bits_are_no_copies(tmp_path: Path) -> None:
    values = noise(3, 4095)
    (tmp_path / "a.png").write_bytes(png16(values))
    values[4, 4, 0] ^= 1
    (tmp_path / "b.png").write_bytes(png16(values))
    images = FileImages(tmp_path)
    one, other = (scan_image(images, Item(name, "x"))[0] for name in ("a.png", "b.png"))
    assert one.levels == TWELVE_BITS
    assert one.pixel_hash != other.pixel_hash


# The range is that of the training images


def deep_record(path: str, low: int, high: int) -> ScanRecord:
    return ScanRecord(path, "x", None, levels=Levels(low, high), pixel_hash="0" * 32)


def test_only_the_training_images_are_measured() -> None:
    records = [deep_record("a", 5, 900), deep_record("b", 9, 950), deep_record("c", 0, 65535)]
    rows = make_manifest_rows(records, {"a": "train", "b": "train", "c": "test"})
    assert [row.levels for row in rows] == [Levels(5, 950)] * 3


def test_images_of_8_bits_have_no_levels() -> None:
    records = [deep_record("a", 5, 900), ScanRecord("b", "x", None, pixel_hash="0" * 32)]
    rows = make_manifest_rows(records, {"a": "test", "b": "train"})
    assert [row.levels for row in rows] == [FULL, None]  # no training image to measure
    assert manifest_levels(rows[1:]) is None


def test_the_manifest_keeps_them(tmp_path: Path) -> None:
    rows = make_manifest_rows([deep_record("a", 5, 900)], {"a": "train"})
    write_manifest(tmp_path / "m.csv", rows)
    assert (tmp_path / "m.csv").read_text().splitlines()[1].endswith(",5-900")
    assert read_manifest(tmp_path / "m.csv") == list(rows)


@pytest.mark.parametrize("text", ["5", "9-5", "-1-5", "0-65536", "a-b", "1-2-3", "٣-٥", "5 - 9"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="levels"):
        Levels.parse(text)


def twelve_bit_folder(root: Path) -> Path:
    for label, top in (("dark", 2000), ("light", 4095)):
        (root / label).mkdir(parents=True)
        for number in range(10):
            (root / label / f"{number}.png").write_bytes(png16(noise(1, top, number)))
    return root


def test_a_set_of_12_bits_is_prepared_and_read_back(tmp_path: Path) -> None:
    root = twelve_bit_folder(tmp_path / "data")
    data = DataSpec(
        source=str(root),
        image_size=(8, 8),
        channels=1,
        split=SplitSpec(train=0.6, validation=0.2, test=0.2),
    )
    workspace = Workspace(tmp_path / "ws")
    prepared = prepare(data, workspace)
    assert manifest_levels(prepared.rows) == TWELVE_BITS
    pack = open_pack(prepared.pack)
    for row, packed in zip(prepared.rows, pack, strict=True):
        top, number = 2000 if row.label == "dark" else 4095, int(Path(row.path).stem)
        assert np.array_equal(packed, scaled(noise(1, top, number), TWELVE_BITS)), row.path
        assert np.array_equal(load_array(root / row.path, data, TWELVE_BITS), packed)
    (note,) = [f for f in prepared.audit.findings if f.code == "16-bit"]
    assert "20 images are stored with 16 bits a channel" in note.message
    assert "their values go from 0 to 4,095" in note.message
    assert "Values of 16 bits from 0 to 4,095, the range of the training images" in " ".join(
        prepared.notes
    )
    prepared.pack.unlink()
    again = prepare_from_manifest(data, prepared.rows, workspace)
    assert np.array_equal(open_pack(again.pack), pack)


def test_what_lies_beyond_the_training_images_is_counted(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for split, top in (("train", 1000), ("test", 4095)):
        for label in ("a", "b"):
            (root / split / label).mkdir(parents=True)
            for number in range(2):
                file = root / split / label / f"{number}.png"
                file.write_bytes(png16(noise(1, top, ord(label) + number)))
    data = DataSpec(source=str(root), image_size=(8, 8), channels=1)
    prepared = prepare(data, Workspace(tmp_path / "ws"))
    assert manifest_levels(prepared.rows) == Levels(0, 1000)
    assert "4 other images beyond that clipped." in " ".join(prepared.notes)


def test_a_run_from_before_levels_keeps_its_pixels(tmp_path: Path) -> None:
    root = twelve_bit_folder(tmp_path / "data")
    data = DataSpec(source=str(root), image_size=(8, 8), channels=1)
    workspace = Workspace(tmp_path / "ws")
    older = []
    for row in prepare(data, workspace).rows:
        content = pixel_hash(decode(root / row.path))
        older.append(type(row)(row.path, row.label, row.split, 8, 8, row.bytes, content))
    prepared = prepare_from_manifest(data, older, workspace)
    assert prepared.pack == pack_path(prepared.folder, older, data)
    for row, packed in zip(older, open_pack(prepared.pack), strict=True):
        assert np.array_equal(packed, load_array(root / row.path, data))
