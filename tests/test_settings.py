"""A person's own settings: kept in a file, strictly read, a bad one ignored and named."""

from pathlib import Path

import pytest

from workbench.settings import (
    HostSettings,
    Settings,
    SlurmProfile,
    read_settings,
    settings_path,
    write_settings,
)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def write(text: str | bytes) -> None:
    settings_path().parent.mkdir(parents=True, exist_ok=True)
    settings_path().write_bytes(text if isinstance(text, bytes) else text.encode())


def test_without_a_file_all_have_their_defaults(tmp_path: Path) -> None:
    assert settings_path() == tmp_path / "workbench" / "settings.toml"
    assert read_settings() == (Settings(), ())


def test_what_was_written_is_read_again() -> None:
    kept = Settings(
        hosts={"gpu-07": HostSettings(address="ana@gpu-07", workspace="work")},
        slurm={"default": SlurmProfile(gres="gpu:1", time="02:00:00", lines=("--account=v",))},
    )
    write_settings(kept)
    assert read_settings() == (kept, ())


@pytest.mark.parametrize("address", ["-oProxyCommand=x", "a b", "host;ls", "", "@host"])
def test_an_address_that_ssh_would_take_for_something_else_is_ignored(address: str) -> None:
    write(f'[hosts.a]\naddress = "{address}"\n[hosts.b]\naddress = "b"\n')
    settings, notes = read_settings()
    assert settings.hosts == {"b": HostSettings(address="b")}
    assert [": hosts.a.address: " in note for note in notes] == [True]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("colour = 1\n", "colour"),
        ("[slurm.default]\nparttition = 'a'\n", "slurm.default.parttition"),
        ("[slurm]\ndefault = 3\n", "slurm.default"),
        ("hosts = 3\n", "hosts"),
        ("[slurm.default]\nlines = [1, 'a']\n", "slurm.default.lines.0"),
        ("[hosts.a]\nworkspace = 'w'\n", "hosts.a.address"),
        ("[hosts.'a:b']\naddress = 'w'\n", "hosts.a:b.[key]"),
    ],
)
def test_a_bad_one_is_named_and_the_others_stay(text: str, key: str) -> None:
    write(text + "[slurm.night]\ntime = '10:00'\n" if "slurm]" not in text else text)
    settings, notes = read_settings()
    assert [f": {key}: " in note for note in notes] == [True]
    assert not settings.hosts
    assert "default" not in settings.slurm


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("[hosts.a]\naddress = '-x'", "hosts.a.address: received '-x'; allowed: HOST or USER@HOST, "
         "as ssh takes it."),
        ("[hosts.a]\naddress = 'a'\nport = 2", "hosts.a.port: unknown key."),
        ("[hosts.a]", "hosts.a.address: missing."),
        ("[slurm]\na = 1", "slurm.a: received 1; allowed: a table of keys."),
        ("[slurm.a]\nlines = ['b', 2]", "slurm.a.lines.1: received 2; allowed: a list of up to "
         "50 single lines."),
    ],
)  # fmt: skip
def test_what_is_allowed_is_named(text: str, note: str) -> None:
    write(text)
    assert read_settings()[1] == (f"Ignored in {settings_path()}: {note}",)


@pytest.mark.parametrize("text", [b"not toml", b"\xff\xfe\x00a\x00", b"\xe9 = 1"])
def test_a_file_that_cannot_be_read_is_ignored_as_a_whole(text: bytes) -> None:
    write(text)
    settings, notes = read_settings()
    assert settings == Settings()
    assert len(notes) == 1
