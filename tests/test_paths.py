"""The workspace: the current folder, WORKBENCH_HOME, or what --workspace names."""

from pathlib import Path

import pytest

from workbench.errors import UserError
from workbench.paths import find_workspace


def test_order_of_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, home, given = tmp_path / "here", tmp_path / "home", tmp_path / "given"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.delenv("WORKBENCH_HOME", raising=False)
    assert find_workspace().root == here
    monkeypatch.setenv("WORKBENCH_HOME", str(home))
    assert find_workspace().root == home
    assert find_workspace(given).root == given
    assert find_workspace(given).runs == given / "saved_models"
    assert not given.exists()


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UserError, match="is a file, not a folder"):
        find_workspace(file)
