"""Commands in a workspace of their own, in this process or with fake workers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from image_files import class_folders
from typist import Complete, Type, Typist

from workbench.cli.app import workbench
from workbench.paths import Workspace
from workbench.runs.folder import list_runs
from workbench.runs.launch import request_stop


@pytest.fixture
def typist(tmp_path: Path) -> Iterator[Typist]:
    made = Typist(Workspace(tmp_path))
    yield made
    for folder in list_runs(made.workspace):  # if a failing test left a worker
        request_stop(folder)


@pytest.fixture
def types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Run a command in an empty workspace, in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKBENCH_HOME", raising=False)

    def run(*words: str) -> Result:
        result = CliRunner().invoke(workbench, words, prog_name="workbench")
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run


@pytest.fixture
def complete(types: Type) -> Complete:
    """Return what bash offers at Tab after a line, a "type,value" each."""

    def offers(line: str) -> list[str]:
        environment = {
            "COMP_WORDS": f"workbench {line}",
            "COMP_CWORD": str(len(line.split())),
            "_WORKBENCH_COMPLETE": "bash_complete",
        }
        result = CliRunner().invoke(workbench, [], prog_name="workbench", env=environment)
        return result.output.splitlines()

    return offers


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """photos/a and photos/b with ten small images each."""
    return class_folders(tmp_path / "photos", a=10, b=10)
