"""One picture is the same pixels in every format, however its file says to turn it."""

import io
from pathlib import Path

import numpy as np
import pytest
from image_files import photo
from PIL import Image

from workbench.datasets.decoding import (
    decode,
    decode_for_display,
    load_array,
    open_image,
)
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
    record = scan_image(FileImages(tmp_path), Item(path.name, "x"))
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
