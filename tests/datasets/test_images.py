"""Every kind of file becomes the picture that a viewer shows, or is refused with a reason."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_files import photo
from PIL import Image

from workbench.datasets import image_files as files
from workbench.datasets.decoding import (
    Resize,
    decode,
    decode_for_display,
    load_array,
    to_array,
)
from workbench.datasets.image_files import ImageError, open_image
from workbench.datasets.manifest import make_manifest_rows
from workbench.datasets.pack import build_pack, open_pack
from workbench.datasets.scan import pixel_hash, scan_image
from workbench.datasets.sources.source import FileImages, Item
from workbench.experiment.sections import DataSpec

# What a camera did to the picture that it stored: the way back is the tag's.
_STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
WIDTH, HEIGHT = 30, 60
PICTURE = photo(1, WIDTH, HEIGHT)
DATA = DataSpec(source="x", image_size=(16, 8))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def reason(source: Path | bytes) -> str:
    with pytest.raises(ImageError) as refused:
        decode(source)
    return refused.value.reason


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that announces any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    )  # fmt: skip


# What is read


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF", "WEBP"])
def test_formats_are_read_whatever_their_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture.jpg"
    options = {"lossless": True} if kind == "WEBP" else {}
    path.write_bytes(encoded(photo(1), kind, **options))
    image = decode(path)
    assert (image.mode, image.size) == ("RGB", (24, 20))
    if kind != "GIF":  # which has 256 colours at most
        assert image.tobytes() == photo(1).tobytes()


def test_grey_stays_grey() -> None:
    grey = photo(1).convert("L")
    assert decode(encoded(grey, "PNG")).mode == "L"
    bits = grey.convert("1")
    assert decode(encoded(bits, "PNG")).tobytes() == bits.convert("L").tobytes()


def test_16_bit_pgm_is_scaled() -> None:
    values = np.array([[0, 32768, 65535]], np.uint16)
    pgm = b"P5 3 1 65535\n" + values.astype(">u2").tobytes()
    assert np.asarray(decode(pgm)).tolist() == [[0, 128, 255]]


def test_numbers_beyond_16_bits_are_refused() -> None:
    image = Image.fromarray(np.array([[0, 70_000]], np.int32))
    assert "beyond 16 bits" in reason(encoded(image, "TIFF"))
    floating = Image.fromarray(np.array([[0.0, 1.0]], np.float32))
    assert "floating-point" in reason(encoded(floating, "TIFF"))


def test_cmyk_becomes_rgb() -> None:
    red = Image.new("RGB", (16, 16), (200, 30, 30))
    image = decode(encoded(red.convert("CMYK"), "JPEG", quality=100))
    assert image.mode == "RGB"
    assert np.abs(np.asarray(image).astype(int) - (200, 30, 30)).max() <= 4


def test_a_palette_becomes_rgb() -> None:
    image = Image.new("RGB", (4, 4), (10, 200, 30)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert decode(encoded(image, "PNG")).getpixel((0, 0)) == (10, 200, 30)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_over_white(mode: str) -> None:
    colour = (0, 0, 0) if mode == "RGBA" else (0,)
    image = Image.new(mode, (2, 1), (*colour, 0))
    image.putpixel((1, 0), (*colour, 255))
    decoded = decode(encoded(image, "PNG"))
    assert [decoded.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 0, 0)]


def test_a_transparent_palette_entry_is_laid_over_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([9, 9, 9, 80, 90, 100])
    image.putpixel((1, 0), 1)
    decoded = decode(encoded(image, "PNG", transparency=0))
    assert [decoded.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (80, 90, 100)]


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP"])
def test_the_first_frame_of_several_is_used(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    red, green, blue = np.asarray(decode(content).convert("RGB"))[0, 0].tolist()
    assert red > 240
    assert max(green, blue) < 15
    with open_image(content) as (_, header):
        assert header.animated


def test_a_broken_exif_block_does_no_harm() -> None:
    content = encoded(photo(1), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    assert decode(content).size == (24, 20)


# What is refused


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    jpeg, png = encoded(photo(1, 200, 200), "JPEG"), encoded(photo(1, 200, 200), "PNG")
    assert reason(b"") == "the file is empty"
    assert reason(b"hello, this is text") == "its content is not an image of a known format"
    assert reason(jpeg[: len(jpeg) // 2]) == "the file is truncated: it ends early"
    assert reason(png[: len(png) // 2]) == "the file is truncated: it ends early"
    broken = png[:41] + bytes(200) + png[241:]
    assert reason(broken) == "its image data is damaged"
    assert reason(jpeg[:20]) == "its content is not an image of a known format"


def test_formats_that_run_programs_are_not_opened() -> None:
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n"
    assert reason(eps) == "its content is not an image of a known format"


def test_a_bomb_is_refused_by_its_header() -> None:
    assert reason(png_header(60_000, 60_000)) == files.TOO_LARGE
    assert reason(png_header(10_000, 8_948)) == files.TOO_LARGE
    assert reason(png_header(10_000, 8_947)) != files.TOO_LARGE  # it is merely empty
    assert "more than 89 million pixels" in files.TOO_LARGE


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert reason(tmp_path / "pipe.jpg") == "it is not a regular file"
    assert reason(tmp_path / "none.jpg") == "there is no such file"
    (tmp_path / "link.jpg").symlink_to(tmp_path / "none.jpg")
    assert reason(tmp_path / "link.jpg") == "there is no such file"
    (tmp_path / "folder.jpg").mkdir()
    assert reason(tmp_path / "folder.jpg") == "it cannot be read: Is a directory"


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    photo(1).save(path)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root may read every file")
    assert reason(path) == "it cannot be read: Permission denied"


# From picture to array


def half_and_half(width: int, height: int) -> Image.Image:
    """Left half black, right half white."""
    pixels = np.zeros((height, width), np.uint8)
    pixels[:, width // 2 :] = 255
    return Image.fromarray(pixels)


def test_stretch_ignores_the_proportions() -> None:
    array = to_array(half_and_half(40, 10), (8, 8), 1, "stretch")
    assert (array.shape, array.dtype) == ((8, 8, 1), np.uint8)
    assert array[4, :, 0].tolist()[:3] == [0, 0, 0]
    assert array[4, :, 0].tolist()[-3:] == [255, 255, 255]


def test_crop_takes_the_middle() -> None:
    image = Image.new("L", (40, 10), 100)
    image.paste(50, (15, 0, 25, 10))
    assert np.unique(to_array(image, (10, 10), 1, "crop")).tolist() == [50]
    upright = image.transpose(Image.Transpose.ROTATE_90)
    assert np.unique(to_array(upright, (10, 10), 1, "crop")).tolist() == [50]


def test_pad_keeps_the_whole_with_black_around() -> None:
    array = to_array(Image.new("RGB", (40, 10), "white"), (20, 20), 3, "pad")
    assert array.shape == (20, 20, 3)
    assert (array[:7] == 0).all()
    assert (array[8:12] == 255).all()
    assert (array[13:] == 0).all()


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (375, 499), (149, 151), (150, 100)])
def test_every_proportion_fits(size: tuple[int, int], resize: Resize) -> None:
    assert to_array(photo(1, *size), (150, 150), 3, resize).shape == (150, 150, 3)


def test_an_image_of_the_right_size_is_not_touched() -> None:
    assert to_array(photo(2), (20, 24), 3).tobytes() == photo(2).tobytes()


def test_colour_and_grey_turn_into_each_other() -> None:
    grey = to_array(photo(2), (20, 24), 1)
    assert grey[..., 0].tolist() == np.asarray(photo(2).convert("L")).tolist()
    colour = to_array(photo(2).convert("L"), (20, 24), 3)
    assert (colour == grey).all()


def spec(**values: Any) -> DataSpec:
    return DataSpec(source="x", **values)


def test_load_array_follows_the_spec(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    photo(4, 40, 20).save(path)
    assert load_array(path, spec(image_size=(16, 24), channels=1)).shape == (16, 24, 1)
    padded = load_array(path, spec(image_size=(20, 20), resize="pad"))
    assert (padded[0] == 0).all()


def test_fast_decoding_reads_jpegs_at_reduced_size(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    photo(4, 640, 480).save(path, quality=95)
    assert decode(path, at_least=(100, 100)).size == (160, 120)
    assert decode(path, at_least=(481, 100)).size == (640, 480)
    exact = load_array(path, spec(image_size=(100, 100))).astype(float)
    fast = load_array(path, spec(image_size=(100, 100), decode="fast")).astype(float)
    assert 0 < np.sqrt(((exact - fast) ** 2).mean()) < 4


def test_fast_decoding_does_not_affect_other_formats() -> None:
    content = encoded(photo(4, 640, 480), "PNG")
    assert decode(content, at_least=(10, 10)).tobytes() == photo(4, 640, 480).tobytes()


# Large JPEGs are read at a part of their size


def test_a_jpeg_of_a_phone_with_108_million_pixels_is_read() -> None:
    content = encoded(Image.new("L", (12_000, 9_000), 90), "JPEG")
    with open_image(content) as (_, header):
        assert (header.width, header.height, header.reduction) == (12_000, 9_000, 2)
    image = decode(content)
    assert image.size == (6_000, 4_500)
    assert image.getextrema() == (90, 90)


@pytest.mark.parametrize(
    ("pixels", "reduction", "size"),
    [
        (64 * 48, 1, (64, 48)),
        (64 * 48 - 1, 2, (32, 24)),
        (32 * 24, 2, (32, 24)),
        (32 * 24 - 1, 4, (16, 12)),
        (16 * 12 - 1, 8, (8, 6)),
        (1, 8, (8, 6)),
    ],
)
def test_a_jpeg_is_reduced_as_little_as_the_limit_allows(
    monkeypatch: pytest.MonkeyPatch, pixels: int, reduction: int, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(files, "MAX_PIXELS", pixels)
    content = encoded(photo(1, 64, 48), "JPEG")
    with open_image(content) as (_, header):
        assert (header.width, header.height, header.reduction) == (64, 48, reduction)
    assert decode(content).size == size
    assert decode(content, (6, 8)).size == (8, 6)  # smaller still where that is enough
    assert decode(content, (7, 8)).size == (size if reduction == 8 else min(size, (16, 12)))


def test_a_progressive_jpeg_needs_memory_for_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(photo(1, 64, 48), "JPEG", progressive=True)
    monkeypatch.setattr(files, "MAX_PIXELS", 64 * 12)
    monkeypatch.setattr(files, "MAX_PROGRESSIVE", 64 * 48)
    assert decode(content).size == (32, 24)
    monkeypatch.setattr(files, "MAX_PROGRESSIVE", 64 * 48 - 1)
    assert "the limit for a progressive JPEG" in reason(content)
    assert decode(encoded(photo(1, 64, 48), "JPEG")).size == (32, 24)


def turned_file(folder: Path, ending: str, tag: int) -> Path:
    path = folder / f"picture.{ending}"
    method = _STORED[tag]
    stored = PICTURE if method is None else PICTURE.transpose(method)
    exif = Image.Exif()
    exif[0x0112] = tag
    options = {"webp": {"lossless": True}, "jpg": {"quality": 100, "subsampling": 0}}
    stored.save(path, exif=exif, **options.get(ending, {}))
    return path


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tiff"])
def test_every_reader_sees_the_picture_upright(tmp_path: Path, ending: str, tag: int) -> None:
    path = turned_file(tmp_path, ending, tag)
    most = 4 if ending == "jpg" else 0  # grey levels that JPEG takes away

    def differs(found: np.ndarray, expected: np.ndarray) -> int:
        return int(np.abs(found.astype(int) - expected).max())

    with open_image(path) as (_, header):
        assert (header.width, header.height, header.orientation) == (WIDTH, HEIGHT, tag)
    record = scan_image(FileImages(tmp_path), Item(path.name, "x"))[0]
    assert (record.width, record.height) == (WIDTH, HEIGHT)
    assert ("exif-rotated" in record.notes) == (tag != 1)
    for read in (decode, decode_for_display):
        assert differs(np.asarray(read(path)), np.asarray(PICTURE)) <= most
    if ending != "jpg":
        assert record.pixel_hash == pixel_hash(PICTURE)
    expected = load_array(_encoded(PICTURE), DATA)
    assert differs(load_array(path, DATA), expected) <= most
    rows = make_manifest_rows([record], {path.name: "train"})
    assert differs(open_pack(build_pack(tmp_path, rows, DATA, tmp_path))[0], expected) <= most


def test_a_reduced_jpeg_is_turned_too(tmp_path: Path) -> None:
    picture = photo(2, 200, 400)
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a.jpg"
    picture.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    assert decode(path, (100, 50)).size == (50, 100)
    assert decode(path, (101, 50)).size == (100, 200)


def test_a_tag_behind_the_pixels_of_a_png_counts_too(tmp_path: Path) -> None:
    content = _encoded(PICTURE.transpose(Image.Transpose.ROTATE_90), orientation=6)
    start = content.index(b"eXIf") - 4
    length = 12 + int.from_bytes(content[start : start + 4], "big")
    chunk, rest = content[start : start + length], content[:start] + content[start + length :]
    end = rest.index(b"IEND") - 4
    late = rest[:end] + chunk + rest[end:]
    assert decode(late).tobytes() == PICTURE.tobytes()


def _encoded(image: Image.Image, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    return file.getvalue()
