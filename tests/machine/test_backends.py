"""Which backend Keras takes, and its settings file, read as Keras reads it without an import."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.machine.backends import (
    chosen_backend,
    read_backends,
    read_keras_settings,
    settings_path,
)

REFUSED = {
    '{"floatx": "float8"}': 'floatx is "float8"; allowed: float16, float32 or float64',
    '{"image_data_format": "nchw"}': 'image_data_format is "nchw"; allowed:',
    '{"epsilon": 1}': "epsilon is 1; allowed: a fraction such as 1e-07",
    '{"epsilon": "1e-7"}': 'epsilon is "1e-7"; allowed: a fraction',
    '{"backend": 3}': "backend is 3; allowed: the name of a backend",
    '{"backend": null}': "backend is null; allowed: the name of a backend",
    "[]": "it is not a JSON object",
    '"tensorflow"': "it is not a JSON object",
    "[" * 100_000: "it is nested too deep",
}
FINE = [
    "{}",
    '{"floatx": "float16", "image_data_format": "channels_first", "epsilon": 1e-3}',
    '{"backend": "tensorflow", "anything": ["else"]}',
]


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


def written(folder: Path, content: str) -> dict[str, str]:
    """The environment in which Keras finds a settings file of this content."""
    (folder / "keras.json").write_text(content)
    return {"KERAS_HOME": str(folder), "HOME": str(folder)}


@pytest.mark.parametrize(("content", "fault"), REFUSED.items(), ids=[t[:30] for t in REFUSED])
def test_what_keras_refuses(content: str, fault: str, tmp_path: Path) -> None:
    environment = written(tmp_path, content)
    found = read_keras_settings(environment)
    assert found.fault.startswith(fault)
    assert found.ignored == ""
    assert chosen_backend(environment) == "tensorflow"


@pytest.mark.parametrize("content", FINE)
def test_what_keras_takes(content: str, tmp_path: Path) -> None:
    found = read_keras_settings(written(tmp_path, content))
    assert (found.fault, found.ignored) == ("", "")


@pytest.mark.parametrize("content", ["", "{", "{'floatx': 'float32'}", "\x00\x01", "\ufeff{}"])
def test_what_keras_ignores(content: str, tmp_path: Path) -> None:
    environment = written(tmp_path, content)
    found = read_keras_settings(environment)
    assert found.fault == ""
    assert found.ignored.startswith("it is not JSON: ")
    assert found.backend == ""
    assert chosen_backend(environment) == "tensorflow"


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "keras.json").mkdir()
    found = read_keras_settings({"KERAS_HOME": str(tmp_path)})
    assert found.fault == "it cannot be read: Is a directory"


def test_a_backend_that_the_variable_overrules_is_no_fault(tmp_path: Path) -> None:
    environment = {**written(tmp_path, '{"backend": 3}'), "KERAS_BACKEND": "tensorflow"}
    assert read_keras_settings(environment).fault == ""


def test_where_keras_looks(tmp_path: Path) -> None:
    home = str(tmp_path)
    assert settings_path({"HOME": home}) == tmp_path / ".keras/keras.json"
    assert settings_path({"HOME": home, "KERAS_HOME": "/k"}) == Path("/k/keras.json")
    assert settings_path({"HOME": home, "KERAS_HOME": "~/k"}) == tmp_path / "k/keras.json"
    assert settings_path({"HOME": "/no/such"}) == Path("/tmp/.keras/keras.json")


def test_who_names_the_backend(tmp_path: Path) -> None:
    environment = written(tmp_path, '{"backend": "torch"}')
    file = str(tmp_path / "keras.json")
    found = read_backends(environment)
    assert (found.chosen, found.named_by, found.settings) == ("torch", file, file)
    found = read_backends({**environment, "KERAS_BACKEND": "jax"})
    assert (found.chosen, found.named_by) == ("jax", "KERAS_BACKEND")
    found = read_backends(written(tmp_path, "{}"))
    assert (found.chosen, found.named_by) == ("tensorflow", "")
    assert chosen_backend(environment | {"KERAS_HOME": "/no/such"}) == "tensorflow"


OURS = """
import json
import keras
from workbench.experiment.presets import BOOK_FACTS, preset_tree
from workbench.experiment.toml import parse_spec
from workbench.training.backend import prepare_device
from workbench.training.models import build_model
spec = parse_spec(preset_tree("convnet", "x", BOOK_FACTS), "x")
def told():
    config = keras.config
    return [config.image_data_format(), config.floatx(), config.epsilon()]
for floats in (None, "float16", "float64"):
    if floats:  # what Keras calls where it finds them in its file
        keras.config.set_floatx(floats)
        keras.config.set_image_data_format("channels_first")
    before = told()
    prepare_device(deterministic=False)
    model = build_model(spec, 2)
    policy = keras.config.dtype_policy().name
    shape = model.get_layer("pool1").output.shape[1:]
    print(json.dumps([before, [*told(), policy, shape, model.output.dtype]]))
"""


def test_floats_and_the_order_of_channels_are_ours(tmp_path: Path) -> None:
    settings = {"image_data_format": "channels_first", "floatx": "float16", "epsilon": 1e-3}
    environment = {**os.environ, **written(tmp_path, json.dumps(settings))}
    command = [sys.executable, "-c", OURS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    ours = ["channels_last", "float32", 1e-7, "float32", [74, 74, 32], "float32"]
    assert found == [
        [["channels_first", "float16", 1e-3], ours],  # Keras has read the file
        [["channels_first", "float16", 1e-7], ours],
        [["channels_first", "float64", 1e-7], ours],
    ]
