"""Someone at a command line, in a workspace of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typist import Typist

from workbench.paths import Workspace
from workbench.runs.folder import list_runs
from workbench.runs.launch import request_stop


@pytest.fixture
def typist(tmp_path: Path) -> Iterator[Typist]:
    made = Typist(Workspace(tmp_path))
    yield made
    for folder in list_runs(made.workspace):  # should a failing test have left a worker
        request_stop(folder)
