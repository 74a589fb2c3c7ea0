"""A workspace for runs that are written by hand."""

from pathlib import Path

import pytest

from workbench.paths import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)
