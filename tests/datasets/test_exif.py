"""Camera and time come from EXIF as clean text; a hostile block costs nothing but them."""

import io
import struct
from pathlib import Path

import pytest
from image_files import photo
from PIL import Image

from workbench.datasets.image_files import MAX_CAMERA, open_image
from workbench.datasets.scan import scan
from workbench.datasets.sources.opening import open_source

MAKE, MODEL, CHANGED, FOLDER, TAKEN = 0x010F, 0x0110, 0x0132, 0x8769, 0x9003


def jpeg(values: dict[int, object], taken: object = None) -> bytes:
    exif = Image.Exif()
    exif.update(values)
    if taken is not None:
        exif.get_ifd(FOLDER)[TAKEN] = taken
    return saved(exif.tobytes())


def saved(exif: bytes, kind: str = "JPEG") -> bytes:
    file = io.BytesIO()
    photo(1).save(file, kind, exif=exif)
    return file.getvalue()


def origin(content: bytes) -> tuple[str, str]:
    with open_image(content) as (_, header):
        return header.camera, header.taken


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("NIKON", "D90", "NIKON D90"),
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("CANON", "Canon EOS 5D", "Canon EOS 5D"),
        ("Canon", None, "Canon"),
        (None, "D90", "D90"),
        ("  Sony ", "A\0\0  7", "Sony A 7"),
        ("x" * 80, "y", "x" * MAX_CAMERA),
        ("\x1b[31mred", "a\r\nb\x7fc", "[31mred a b c"),
    ],
)
def test_the_camera_is_make_and_model(make: str | None, model: str | None, camera: str) -> None:
    given = {MAKE: make, MODEL: model}
    content = jpeg({tag: text for tag, text in given.items() if text is not None})
    assert origin(content)[0] == camera


def test_the_time_is_that_of_the_picture_before_that_of_the_last_change() -> None:
    changed = {CHANGED: "2022:01:01 00:00:00"}
    assert origin(jpeg(changed)) == ("", "2022-01-01 00:00:00")
    assert origin(jpeg(changed, "2021:05:03 14:22:09")) == ("", "2021-05-03 14:22:09")


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_other_formats_have_a_camera_too(kind: str) -> None:
    exif = Image.Exif()
    exif[MODEL] = "D90"
    assert origin(saved(exif.tobytes() if kind != "TIFF" else exif, kind))[0] == "D90"


@pytest.mark.parametrize(
    "taken", ["0000:00:00 00:00:00", "2021:13:03 14:22:09", "soon", "", "9" * 60000]
)
def test_no_time_is_no_time(taken: str) -> None:
    assert origin(jpeg({MODEL: "D90"}, taken)) == ("D90", "")


HEADER = b"Exif\0\0II*\0\x08\0\0\0"


def entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


HOSTILE = {
    "a model of four GB": HEADER + b"\1\0" + entry(MODEL, 2, 0xFFFFFFFF, 8),
    "a torn directory": HEADER + b"\xff\xff" + entry(MODEL, 2, 4, 0x41414141)[:7],
    "a directory in itself": HEADER + b"\1\0" + entry(FOLDER, 4, 1, 8) + struct.pack("<I", 8),
    "a model of numbers": HEADER + b"\2\0" + entry(MODEL, 5, 1, 0) + entry(MAKE, 4, 1, 7),
    "an unknown type": HEADER + b"\1\0" + entry(MODEL, 99, 4, 0x41414141),
    "a folder that is a text": HEADER + b"\1\0" + entry(FOLDER, 2, 4, 0x41414141),
    "no directory": HEADER[:10],
    "random bytes": bytes(range(256)) * 200,
}


@pytest.mark.parametrize("exif", HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_block_leaves_the_image_usable(exif: bytes, tmp_path: Path, folder: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        (tmp_path / "data" / label / "1.jpg").write_bytes(saved(exif))
    for record in scan(open_source(tmp_path / "data"), folder):
        assert record.usable
        assert (record.camera, record.taken) == ("", "")
    again = scan(open_source(tmp_path / "data"), folder)
    assert [record.camera for record in again] == ["", ""]


def test_camera_and_time_are_kept_by_the_scan(tmp_path: Path, folder: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        content = jpeg({MAKE: "Fuji", MODEL: "caf\xe9"}, "2021:05:03 14:22:09")
        (tmp_path / "data" / label / "1.jpg").write_bytes(content)
    for _ in range(2):
        one, _other = scan(open_source(tmp_path / "data"), folder)
        assert one.camera.startswith("Fuji caf")
        assert one.taken == "2021-05-03 14:22:09"
