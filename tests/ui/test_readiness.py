"""What is done once, so that no key waits for it."""

import subprocess
import sys
from pathlib import Path

from workbench.ui import screens

ASKED = f"""
import gc, sys
from workbench.ui.app import WorkbenchApp
from workbench.ui.readiness import make_ready
assert "workbench.ui.screens.why" not in sys.modules
make_ready()
found = [name for name in sys.modules if name.startswith("{screens.__name__}.")]
print(len(found), "workbench.ui.screens.why" in found, gc.get_freeze_count() > 10_000)
print([name for name in ("keras", "tensorflow", "sklearn") if name in sys.modules])
"""


def test_all_screens_are_imported_and_taken_out_of_the_collectors_rounds() -> None:
    """In a process of its own, for what is imported and frozen stays so."""
    command = [sys.executable, "-c", ASKED]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")
    count = len(list(Path(screens.__file__ or "").parent.glob("[a-z]*.py")))
    assert told[0] == f"{count} True True"
    assert told[1] == "[]"
