"""Every command accepts a pasted path: in quotes, with backslashes, as a file:// address."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import click
import pytest
from click.testing import CliRunner
from image_files import class_folders

from workbench.app.export import folder_to_write
from workbench.app.run_files import find_model
from workbench.bases.weights import parse_weights
from workbench.cli.app import workbench
from workbench.cli.options import PathArgument
from workbench.cli.sources import file_spec, resolve_source
from workbench.paths import Workspace
from workbench.ui.widgets.path_field import completions


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes in a folder with a blank in its name."""
    return class_folders(tmp_path / "my photos", a=1, b=1)


def pasted(path: Path) -> list[str]:
    """The same path as a terminal or a file manager may paste it."""
    return [f"'{path}'", f'"{path}"', str(path).replace(" ", "\\ "), f"file://{quote(str(path))}"]


def all_commands(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            yield from all_commands(inner)


def test_no_command_takes_a_path_in_another_way() -> None:
    paths = [
        (command.name, parameter.name, type(parameter.type))
        for command in all_commands(workbench)
        for parameter in command.params
        if isinstance(parameter.type, click.Path)
    ]
    assert len(paths) > 20
    assert {kind for *_, kind in paths} == {PathArgument}


def test_a_scan_of_a_pasted_path_in_a_pasted_workspace(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "work space").mkdir()
    for place, images in zip(pasted(tmp_path / "work space"), pasted(photos), strict=True):
        result = CliRunner().invoke(workbench, ["--workspace", place, "data", "scan", images])
        assert result.exit_code == 0, result.output
        assert result.output.startswith("2 images in 2 classes (class folders), 2 usable")
    assert {path.name for path in tmp_path.iterdir()} == {"my photos", "work space"}
    assert (tmp_path / "work space" / "data" / "my-photos" / "audit.json").exists()


def test_sources_specs_weights_and_models(tmp_path: Path, photos: Path) -> None:
    workspace = Workspace(tmp_path)
    weights, model = tmp_path / "my weights.h5", tmp_path / "my run" / "model.keras"
    weights.write_bytes(b"\x89HDF\r\n\x1a\n")
    model.parent.mkdir()
    model.touch()
    spec = tmp_path / "s.toml"
    for images, given, run in zip(*map(pasted, (photos, weights, model)), strict=True):
        assert resolve_source(workspace, images) == photos
        assert parse_weights(given) == str(weights)
        assert find_model(workspace, run) == model
        quoted = images.replace("\\", "\\\\").replace('"', '\\"')
        spec.write_text(f'[data]\nsource = "{quoted}"\n[model]\nstrategy = "dense"\n')
        assert file_spec(workspace, spec, None, ()).data.source == str(photos)


def test_what_the_app_writes_and_completes(tmp_path: Path, photos: Path) -> None:
    for number, typed in enumerate(pasted(tmp_path / "my exports")):
        assert folder_to_write(typed) == tmp_path / "my exports", number
    assert {path.name for path in tmp_path.iterdir()} == {"my photos", "my exports"}
    address = f"file://{quote(str(photos))}/"
    assert completions(address) == [f"{address}a/", f"{address}b/"]


def test_where_nothing_is_the_words_are_the_person_s(tmp_path: Path) -> None:
    command = ["--workspace", str(tmp_path), "data", "scan", "'no where'"]
    result = CliRunner().invoke(workbench, command)
    assert result.exit_code == 2
    assert "There is no file or folder 'no where'." in result.output


def test_a_command_to_type_next_can_be_pasted(tmp_path: Path, photos: Path) -> None:
    command = ["--workspace", str(tmp_path), "data", "scan", str(photos)]
    result = CliRunner().invoke(workbench, command)
    assert f"workbench data scan '{photos}' --all --workspace {tmp_path}" in result.output
