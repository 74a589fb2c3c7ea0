"""Pictures of an npz file's images, and why there is none."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from workbench.app.run_files import error_pictures, find_model, read_correctness
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder

TEST = {"a.png": ("hash a", "cat"), "b.png": ("hash b", "dog")}
HEAD = "path,label,predicted,cat,dog\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An npz file whose second part is damaged at its 32nd image."""
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 64), np.uint8)
    path = tmp_path / "a.npz"
    np.savez(path, x_train=pixels[:1], y_train=[0], x_test=pixels, y_test=range(64))
    content = bytearray(path.read_bytes())
    content[content.index(pixels[32].tobytes())] ^= 1
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("train/00000", None),
        ("train/00001", "it is not in the npz file"),
        ("test/00063", "it is damaged"),
    ],
)
def test_an_image_that_cannot_be_read_is_shown_in_its_place(
    tmp_path: Path, source: Path, image: str, why: str | None
) -> None:
    view: Any = SimpleNamespace(
        spec={"data": {"source": str(source)}}, history=SimpleNamespace(data={})
    )
    worst = [cast(Any, SimpleNamespace(path=image))]
    (picture,) = error_pictures(Workspace(tmp_path), view, worst, (10, 5), utf8=True)
    if why is None:
        assert len(picture.plain.splitlines()) == 5
    else:
        assert why in picture.plain


def test_only_test_images_count(tmp_path: Path) -> None:
    rows = "a.png,cat,cat,0.9,0.1\nb.png,dog,cat,0.6,0.4\nc.png,dog,dog,0.1,0.9\n"
    (tmp_path / "predictions.csv").write_text(HEAD + rows)
    assert read_correctness(RunFolder(tmp_path), TEST) == {
        ("hash a", "cat"): True,
        ("hash b", "dog"): False,
    }


@pytest.mark.parametrize("content", [None, "", HEAD, HEAD + "a.png,cat\n"])
def test_without_whole_predictions_nothing_is_known(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "predictions.csv").write_text(content)
    assert read_correctness(RunFolder(tmp_path), TEST) is None


def test_a_model_is_of_a_run_or_in_an_exported_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(tmp_path)
    exported = tmp_path / "photos-1-keras/model.keras"
    exported.parent.mkdir()
    with pytest.raises(UserError, match="There are no runs in"):
        find_model(workspace, "photos-1-keras")
    exported.touch()
    for given in ("photos-1-keras", "./photos-1-keras", "photos-1-keras/model.keras"):
        assert find_model(workspace, given) == exported
    run = workspace.runs / "photos-1-keras"
    run.mkdir(parents=True)
    (run / "spec.toml").touch()
    (run / "model.keras").touch()
    assert find_model(workspace, "photos-1-keras") == run / "model.keras"
