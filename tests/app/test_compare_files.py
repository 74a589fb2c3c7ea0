"""Which test images a run has right, as the comparison of runs reads it."""

from pathlib import Path

import pytest

from workbench.app.run_files import read_correctness
from workbench.runs.folder import RunFolder

TEST = {"a.png": ("hash a", "cat"), "b.png": ("hash b", "dog")}
HEAD = "path,label,predicted,cat,dog\n"


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
