"""Results are stored completely, found again, and ignored where they are damaged."""

import os
from pathlib import Path

import pytest
from fake_lessons import EXAMPLES, results

from workbench.lessons.catalogue import load_results, newest_results, results_path, save_results
from workbench.paths import Workspace


def test_results_are_loaded_as_they_were(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for name, runs in EXAMPLES.items():
        made = results(name, runs)
        path = save_results(workspace, made)
        assert path.parent == tmp_path / "saved_models" / ".learn"
        assert load_results(path) == made
        assert newest_results(workspace, name) == made


def test_digits_have_a_plain_name_and_paths_a_mark(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)

    def name(data: str, source: str) -> str:
        return results_path(workspace, "depth", data, Path(source)).name

    assert name("digits", str(workspace.data / "digits" / "source")) == "depth-digits.json"
    assert name("digits", "/here/digits").startswith("depth-digits-")
    one, other = name("a/photos", "/x/a/photos"), name("b/photos", "/x/b/photos")
    assert one.startswith("depth-photos-")
    assert one != other
    assert name("/x/..", "/x/..").startswith("depth-data-")
    assert "/" not in name("/x/\x1b[31m/ü", "/x/ü")


def test_the_newest_is_shown_for_any_images(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    digits = save_results(workspace, results("pooling", EXAMPLES["pooling"]))
    photos = results_path(workspace, "pooling", "photos/", tmp_path)
    photos.write_text(digits.read_text().replace('"digits"', '"photos/"'))
    os.utime(photos, ns=(1, 1))
    newest = newest_results(workspace, "pooling")
    assert newest is not None
    assert newest.data == "digits"
    os.utime(digits, ns=(0, 0))
    newest = newest_results(workspace, "pooling")
    assert newest is not None
    assert newest.data == "photos/"


def test_what_lacks_a_figure_is_none(tmp_path: Path) -> None:
    path = save_results(Workspace(tmp_path), results("pooling", EXAMPLES["pooling"]))
    content = path.read_text()
    assert load_results(path) is not None
    for figure in ("right", "parameters", "epochs", "test"):
        path.write_text(content.replace(f'"{figure}"', '"other"'))
        assert load_results(path) is None


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"format": 2}', '{"format": 1, "experiment": "pooling", "runs": {"a": 1}}'],
)
def test_what_is_damaged_is_none(tmp_path: Path, content: str) -> None:
    workspace = Workspace(tmp_path)
    path = save_results(workspace, results("pooling", EXAMPLES["pooling"]))
    path.write_text(content)
    assert load_results(path) is None
    assert newest_results(workspace, "pooling") is None
    assert load_results(tmp_path / "gone.json") is None
