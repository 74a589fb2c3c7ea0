"""Which backend Keras will take, and what is installed, without an import."""

import importlib.metadata
from pathlib import Path

import pytest

from workbench.machine.backends import chosen_backend, read_backends


def test_this_installation() -> None:
    found = read_backends({"KERAS_BACKEND": "jax"})
    assert found.chosen == "jax"
    assert found.keras == importlib.metadata.version("keras")
    assert found.installed["tensorflow"] == importlib.metadata.version("tensorflow")
    assert set(found.installed) <= {"tensorflow", "jax", "torch"}


def test_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    found = read_backends({"HOME": "/no/such/folder"})
    assert (found.chosen, found.keras, found.installed) == ("tensorflow", "", {})


def test_the_variable_comes_before_the_settings_file(tmp_path: Path) -> None:
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras/keras.json").write_text('{"floatx": "float32", "backend": "torch"}')
    (tmp_path / "keras.json").write_text('{"backend": "jax"}')
    home = {"HOME": str(tmp_path)}
    assert chosen_backend(home) == "torch"
    assert chosen_backend({**home, "KERAS_HOME": str(tmp_path)}) == "jax"
    assert chosen_backend({**home, "KERAS_BACKEND": "tensorflow"}) == "tensorflow"
    assert chosen_backend({**home, "KERAS_BACKEND": ""}) == "torch"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"backend": 3}', "\x00\x01"])
def test_a_settings_file_without_a_backend(content: str, tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text(content)
    assert chosen_backend({"KERAS_HOME": str(tmp_path)}) == "tensorflow"
