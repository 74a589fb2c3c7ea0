"""Images of phones: read where they can be, and named with what makes them readable where not."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from image_files import photo, write_photo
from PIL import features

from workbench.cli.app import workbench
from workbench.datasets.decoding import decode, load_array
from workbench.datasets.image_files import (
    IMAGE_EXTENSIONS,
    ImageError,
    how_to_read,
    pillow_heif,
    unreadable_format,
)
from workbench.datasets.prepare import prepare
from workbench.datasets.sources.opening import open_source
from workbench.experiment.sections import DataSpec, SplitSpec
from workbench.paths import Workspace

HEIC = b"\0\0\0\x1cftypheic\0\0\0\0mif1heic"
INSTALL = "pip install 'convnet-workbench[heif]'"

with_heif = pytest.mark.skipif(pillow_heif is None, reason="pillow-heif is not installed")
without_heif = pytest.mark.skipif(pillow_heif is not None, reason="pillow-heif is installed")
with_avif = pytest.mark.skipif(not features.check("avif"), reason="Pillow was built without AVIF")


def folder_of(root: Path, ending: str, count: int = 5) -> Path:
    """Two classes of PNG files and one, owl, of files that end otherwise."""
    for label in ("cat", "dog"):
        for number in range(count):
            write_photo(root / label / f"{number}.png", number + (100 if label == "cat" else 200))
    for number in range(count):
        path = root / "owl" / f"{number}{ending}"
        path.parent.mkdir(exist_ok=True)
        if ending == ".avif":
            photo(900 + number, 64, 48).save(path)
        elif pillow_heif is None:
            path.write_bytes(HEIC)
        else:
            pillow_heif.from_pillow(photo(900 + number, 64, 48)).save(path, quality=-1)
    return root


@without_heif
def test_a_class_of_heic_files_is_named_with_the_package_that_reads_them(tmp_path: Path) -> None:
    found = open_source(folder_of(tmp_path / "pets", ".heic"))
    assert found.labels == ("cat", "dog")
    assert found.warnings[0].message == (
        "owl holds no image that can be read, so it is not a class: 5 .heic files (owl/0.heic, "
        f"owl/1.heic, owl/2.heic and 2 more). `{INSTALL}` makes HEIC images readable."
    )


@without_heif
def test_the_scan_warns_of_it(tmp_path: Path) -> None:
    pets = folder_of(tmp_path / "pets", ".HEIC")
    command = ["--workspace", str(tmp_path), "data", "scan", str(pets)]
    printed = CliRunner().invoke(workbench, command).output
    assert "warning: owl holds no image that can be read, so it is not a class: 5 .heic" in printed
    assert "warning: Not read: 5 .heic files" in printed


@without_heif
def test_a_heic_image_of_another_name_is_identified() -> None:
    with pytest.raises(ImageError) as refused:
        decode(HEIC)
    assert refused.value.reason == (
        f"it is HEIC, which is not read here; `{INSTALL}` makes HEIC images readable"
    )


@pytest.mark.parametrize(
    "start", [b"", HEIC[:11], HEIC.replace(b"heic", b"isom"), b"\x89PNG\r\n\x1a\n" + bytes(9)]
)
def test_what_is_of_no_such_format_is_not_mistaken_for_it(start: bytes) -> None:
    assert unreadable_format(start) is None
    assert how_to_read(".png") == ""


@with_heif
def test_heic_images_are_read_in_scan_and_pack(tmp_path: Path) -> None:
    pets = folder_of(tmp_path / "pets", ".heic")
    assert {".heic", ".heif", ".hif"} <= IMAGE_EXTENSIONS
    assert open_source(pets).labels == ("cat", "dog", "owl")
    data = DataSpec(
        source=str(pets), image_size=(48, 64), split=SplitSpec(train=0.6, validation=0.2, test=0.2)
    )
    done = prepare(data, Workspace(tmp_path / "ws"))
    assert done.labels == ("cat", "dog", "owl")
    assert done.audit.formats == {"PNG": 10, "HEIF": 5}
    pack = np.load(done.pack, mmap_mode="r")
    for at, row in enumerate(done.rows):
        if row.label == "owl":
            number = int(Path(row.path).stem)
            wanted = np.asarray(photo(900 + number, 64, 48), np.int16)
            assert (
                np.abs(pack[at].astype(np.int16) - wanted).mean() < 8
            )  # its colours have half the size
    predicted = load_array(pets / done.rows[-1].path, data)
    assert np.array_equal(predicted, pack[len(done.rows) - 1])


@with_heif
def test_a_heic_image_that_was_turned_is_upright(tmp_path: Path) -> None:
    picture = photo(1, 64, 48)
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "a.heic", exif=exif.tobytes(), quality=-1)
    upright = decode(tmp_path / "a.heic")
    assert upright.size == (48, 64)
    wanted = np.rot90(np.asarray(picture, np.int16), -1)
    assert np.abs(np.asarray(upright, np.int16) - wanted).mean() < 8


@with_heif
def test_a_damaged_heic_image_is_damaged_not_unknown(tmp_path: Path) -> None:
    path = folder_of(tmp_path, ".heic", count=1) / "owl" / "0.heic"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError) as refused:
        decode(path)
    assert "pip install" not in refused.value.reason


@with_avif
def test_avif_images_are_read_where_pillow_can(tmp_path: Path) -> None:
    pets = folder_of(tmp_path / "pets", ".avif", count=2)
    found = open_source(pets)
    assert (found.labels, found.warnings) == (("cat", "dog", "owl"), ())
    shown = np.asarray(decode(pets / "owl" / "1.avif"), np.int16)
    assert ".avif" in IMAGE_EXTENSIONS
    assert np.abs(shown - np.asarray(photo(901, 64, 48), np.int16)).mean() < 10
