"""Any content of spec.toml is a spec or is refused with a short, harmless message."""

import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hostile.bad_names import NAMES, assert_harmless, damaged, refused_harmlessly, text_of
from hostile.bad_specs import GOOD, REFUSED, WRONG_VALUES, with_value
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.bases.weights import find_weights
from workbench.cli.app import workbench
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.spec_keys import keys
from workbench.experiment.toml import MAX_BYTES, apply_settings, dump_spec, parse_spec, read_spec

# That one of the values above fits after all.
FITS = {("base.trainable", "a list in a list")}


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as refused:
        read_spec(path)
    assert_harmless(str(refused.value))
    return str(refused.value)


def weights_refusal(given: Path | str) -> str:
    with pytest.raises(UserError) as refused:
        find_weights("vgg16", (150, 150), given)
    assert_harmless(str(refused.value))
    return refused.value.message


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_a_short_message(tmp_path: Path, name: str) -> None:
    content, expected = REFUSED[name]
    path = tmp_path / "spec.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    message = refusal(path)
    assert expected in message
    assert len(message) < 21 * 1000


@pytest.mark.parametrize("value", WRONG_VALUES)
@pytest.mark.parametrize("key", keys())
def test_no_key_takes_it_and_the_key_is_named(tmp_path: Path, key: str, value: str) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(with_value(key, WRONG_VALUES[value]))
    assert re.search(rf"\b{re.escape(key.rpartition('.')[2])}\b", refusal(path))


def test_a_spec_may_have_32_kib(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(GOOD.ljust(MAX_BYTES))
    assert read_spec(path).data.source == "photos"


@pytest.mark.parametrize(
    ("look", "ending", "expected"),
    [
        (refusal, "toml", "it is not a regular file"),
        (weights_refusal, "h5", "is not a weights file"),
    ],
)
def test_irregular_files_do_not_block(
    tmp_path: Path, look: Callable[[Path], str], ending: str, expected: str
) -> None:
    pipe, device, itself = (tmp_path / f"{name}.{ending}" for name in ("pipe", "device", "itself"))
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    itself.symlink_to(itself.name)
    assert expected in look(pipe)
    assert expected in look(device)
    assert "Too many levels of symbolic links" in look(itself)
    assert "Is a directory" in look(tmp_path)


@pytest.mark.parametrize("command", ["plan", "train"])
@pytest.mark.parametrize("name", ["escapes for a key", "escapes for a value", "tables 10,000 deep"])
def test_a_command_prints_only_the_message(tmp_path: Path, command: str, name: str) -> None:
    path = tmp_path / "\x1b[31m\u202e.toml"
    content, expected = REFUSED[name]
    assert isinstance(content, str)
    path.write_text(content)
    result = CliRunner().invoke(workbench, ["--workspace", str(tmp_path), command, str(path)])
    assert result.exit_code == 2
    assert expected in result.output
    assert_harmless(result.output)


def test_a_setting_of_the_command_line_may_be_anything() -> None:
    for text in ("[" * 5000, "9" * 5000, "nan", "\x1b[31m", "{", "'''"):
        changed = apply_settings({}, (f"training.epochs={text}",))
        with pytest.raises(UserError) as refused:
            parse_spec(changed, "--set")
        assert_harmless(str(refused.value))


# --- properties -------------------------------------------------------------------------------

_SOME_KEYS = st.sampled_from([part for key in keys() for part in key.split(".")]) | st.text()
_VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates()
)
_TREES = st.recursive(
    _VALUES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_SOME_KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(tree=_TREES)
def test_any_tree_is_a_spec_or_a_refusal(tree: Any) -> None:
    is_spec_or_refusal(tree)


@settings(max_examples=200, deadline=None)
@given(key=st.sampled_from(keys()), value=_TREES)
def test_any_value_of_any_key_is_taken_or_refused(key: str, value: Any) -> None:
    tree: dict[str, Any] = {"data": {"source": "photos"}, "model": {"strategy": "dense"}}
    place = tree
    *tables, last = key.split(".")
    for table in tables:
        place = place.setdefault(table, {})
    place[last] = value
    is_spec_or_refusal(tree)


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=300))
def test_any_bytes_are_a_spec_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    refusal(path)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_damaged_spec_is_a_spec_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.toml"
    path.write_bytes(damaged(dump_spec(parse_spec(_GOOD_TREE, "good")).encode(), data))
    with refused_harmlessly():
        read_spec(path)


_GOOD_TREE = {
    "data": {"source": "photos"},
    "model": {"strategy": "fine-tuning"},
    "base": {"name": "vgg16", "trainable": ["block5"]},
}


def is_spec_or_refusal(tree: Any) -> None:
    """Fails where anything else happens, or a spec holds what no file could."""
    with refused_harmlessly():
        spec = parse_spec(tree, "here")
        assert isinstance(spec, ExperimentSpec)
        assert math.isfinite(spec.training.learning_rate)


@pytest.mark.parametrize("content", [b"", b"\x80\x04cposix\nsystem\n", b"PK\x03\x04", bytes(9)])
def test_what_is_no_hdf5_is_not_opened(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.h5").write_bytes(content)
    assert "Keras writes them in HDF5" in weights_refusal(tmp_path / "w.h5")


@pytest.mark.parametrize("name", NAMES)
def test_names_are_shown_harmlessly(tmp_path: Path, name: str) -> None:
    assert "cannot be read" in weights_refusal(tmp_path / text_of(NAMES[name]))
    assert "cannot be read" in weights_refusal(f"~{text_of(NAMES[name])}")
