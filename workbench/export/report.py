"""Writes a run's page to a file."""

import time
from pathlib import Path

from workbench.downloads.folders import disk_faults
from workbench.export.page import report_page
from workbench.export.pictures import RunPictures
from workbench.export.run_data import run_facts
from workbench.export.script_folder import check_free
from workbench.files import write_atomic
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.text_files import ENCODING

_MOST_SPEC = 1 << 16  # characters of a spec that are shown


def write_report(workspace: Workspace, run: RunFolder, target: Path, force: bool = False) -> Path:
    """Writes the page whole or not at all; of a run that is not finished, what there is.

    Args:
        target: the file.
        force: True to replace a file that is there.

    Raises:
        UserError: the file is there already, or the disk.
    """
    check_free(target, force)
    facts = run_facts(run)
    data = facts.tables.get("data")
    source = str(data.get("source", "")) if isinstance(data, dict) else ""
    page = report_page(facts, RunPictures(workspace, source), _spec_text(run), time.time())
    with disk_faults(target, "No report was written.", "name another file with --out FILE"):
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, page)
    return target


def _spec_text(run: RunFolder) -> str:
    try:
        with run.spec_path.open(encoding=ENCODING, errors="replace") as file:
            return file.read(_MOST_SPEC)
    except OSError:
        return ""
