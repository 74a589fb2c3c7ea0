"""Images of a run: from the pack, from files, from an npz file, or missing."""

import re
from pathlib import Path

import numpy as np
import pytest
from recorded_run import picture

from workbench.datasets.image_files import ImageError
from workbench.datasets.prepare import PreparedData, prepare
from workbench.experiment.sections import DataSpec
from workbench.export.run_data import RunImages
from workbench.paths import Workspace


@pytest.fixture
def data(workspace: Workspace) -> DataSpec:
    for n in range(10):
        for label, level in (("dark", 20), ("light", 220)):
            picture(workspace.root / "photos" / label / f"{n}.png", level + n)
    return DataSpec(source=str(workspace.root / "photos"), image_size=(8, 8))


@pytest.fixture
def prepared(workspace: Workspace, data: DataSpec) -> PreparedData:
    return prepare(data, workspace)


def sample(workspace: Workspace, prepared: PreparedData, data: DataSpec) -> np.ndarray | None:
    return RunImages(workspace, data.source).sample(prepared.rows, data)


def test_the_pack_is_enough(workspace: Workspace, prepared: PreparedData, data: DataSpec) -> None:
    expected = np.load(prepared.pack)[prepared.indices("test")]
    (workspace.root / "photos").rename(workspace.root / "elsewhere")
    assert np.array_equal(sample(workspace, prepared, data), expected)


@pytest.mark.parametrize("content", [b"", b"no pack", None])
def test_without_a_sound_pack_the_files_are_read(
    workspace: Workspace, prepared: PreparedData, data: DataSpec, content: bytes | None
) -> None:
    expected = np.load(prepared.pack)[prepared.indices("test")]
    prepared.pack.unlink()
    if content is not None:
        prepared.pack.write_bytes(content)
    assert np.array_equal(sample(workspace, prepared, data), expected)
    (workspace.root / "photos").rename(workspace.root / "elsewhere")
    assert sample(workspace, prepared, data) is None


def test_images_of_an_npz_file_are_found_by_their_index(workspace: Workspace) -> None:
    pixels = np.arange(4 * 64, dtype=np.uint8).reshape(4, 8, 8)
    path = workspace.root / "set.npz"
    np.savez(path, x_train=pixels, y_train=range(4), x_test=pixels, y_test=range(4))
    pictures = RunImages(workspace, str(path))
    assert np.array_equal(np.asarray(pictures.picture("test/00003")), pixels[3])
    for missing in ("test/00004", "test", "else/00000"):
        with pytest.raises(ImageError, match="not in the npz file"):
            pictures.picture(missing)
    path.write_bytes(b"damaged")
    with pytest.raises(ImageError, match="it is damaged"):
        RunImages(workspace, str(path)).picture("test/00003")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("", "the location of the images is not known any more"),
        ("nul\0", "the location of the images is not known any more"),
        ("/nowhere", "there is no such file"),
    ],
)
def test_missing_images_have_a_reason(
    workspace: Workspace, source: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(ImageError) as caught:
        RunImages(workspace, source).picture("a.png")
    assert re.search(why, caught.value.reason)
