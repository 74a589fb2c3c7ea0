"""The workspace: the current folder, WORKBENCH_HOME, or what --workspace names; pasted paths."""

from pathlib import Path
from urllib.parse import quote

import pytest

from workbench.errors import UserError
from workbench.paths import cache_folder, config_folder, find_workspace, parse_path


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


# Paths as people paste them


@pytest.mark.parametrize(
    "name", ["my photos (1)", "it's", "50% süß", 'a"b', "back\\slash", "plain"]
)
def test_a_pasted_path_is_understood_where_it_is_there(tmp_path: Path, name: str) -> None:
    there = tmp_path / name
    there.mkdir()
    escaped = "".join(c if c.isalnum() or c in "/._-" else f"\\{c}" for c in str(there))
    pasted = {
        str(there),
        f"  {there} ",
        f"'{there}'",
        f'"{there}"',
        f"“{there}”",
        escaped,
        f"{escaped} ",
        f"file://{quote(str(there))}",
        f"file://localhost{quote(str(there))}",
        f"file:{quote(str(there))}",
        f"'file://{quote(str(there))}'",
        f"FILE://{there}",
    }
    assert {text: parse_path(text) for text in pasted} == dict.fromkeys(pasted, there)


def test_relative_ones_and_homes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my photos").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_path("'my photos'") == parse_path("my\\ photos") == Path("my photos")
    assert parse_path("'~/my photos'") == parse_path("~/my\\ photos") == tmp_path / "my photos"
    monkeypatch.chdir("/")
    assert parse_path('"my photos"', tmp_path) == tmp_path / "my photos"


def test_an_existing_literal_path_goes_first(tmp_path: Path) -> None:
    for name in ("photos", "'photos'", "file:", "a\\ b", "a b"):
        (tmp_path / name).mkdir()
    for name in ("'photos'", "file:", "a\\ b"):
        assert parse_path(name, tmp_path) == tmp_path / name


@pytest.mark.parametrize(
    "given", ["'nowhere'", "no\\ where", "file:///no/where", "file://", "file:", "'", "a\0b", "",
              "~no-such-person/x", "x" * 5000]
)  # fmt: skip
def test_a_missing_path_stays_as_given(tmp_path: Path, given: str) -> None:
    assert parse_path(given, tmp_path) == tmp_path / given


def test_a_new_path_needs_its_parent_folder(tmp_path: Path) -> None:
    there, nowhere = tmp_path / "a b", tmp_path / "none" / "a b"
    assert parse_path(f"'{there}'", new=True) == there
    assert parse_path(f"file://{quote(str(there))}", new=True) == there
    assert parse_path(f"'{there}'") == Path(f"'{there}'")
    assert parse_path(f"'{nowhere}'", new=True) == Path(f"'{nowhere}'")
    assert parse_path("out", tmp_path, new=True) == tmp_path / "out"


def test_folders_of_the_user(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert cache_folder(home) == tmp_path / ".cache/workbench"
    assert cache_folder({**home, "XDG_CACHE_HOME": "/scratch"}) == Path("/scratch/workbench")
    assert cache_folder({**home, "XDG_CACHE_HOME": "here"}) == tmp_path / ".cache/workbench"
    assert cache_folder({}) == Path.home() / ".cache/workbench"
    assert config_folder({**home, "XDG_CONFIG_HOME": "/etc/me"}) == Path("/etc/me/workbench")
    assert config_folder(home) == tmp_path / ".config/workbench"
    assert list(tmp_path.iterdir()) == []
