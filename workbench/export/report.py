"""The report of a run, written to a file."""

import time
from pathlib import Path

from workbench.downloads.disk import disk_errors
from workbench.export.report_page import report_page
from workbench.export.run_data import read_run_data
from workbench.export.run_images import RunImages
from workbench.export.script_folder import check_free
from workbench.files import ENCODING, write_atomic
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder

_MAX_SPEC = 1 << 16  # characters of a spec that are shown


def write_report(workspace: Workspace, run: RunFolder, target: Path, force: bool = False) -> Path:
    """Write the page whole or not at all; of an unfinished run, what there is so far.

    Args:
        workspace: of the run.
        run: the run.
        target: the file.
        force: True to replace an existing file.

    Returns:
        `target`.

    Raises:
        UserError: the file exists already, or the disk failed.
    """
    check_free(target, force)
    data = read_run_data(run)
    images = data.tables.get("data")
    source = str(images.get("source", "")) if isinstance(images, dict) else ""
    page = report_page(data, RunImages(workspace, source), _spec_text(run), time.time())
    with disk_errors(target, "No report was written.", "name another file with --out FILE"):
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, page)
    return target


def _spec_text(run: RunFolder) -> str:
    try:
        with run.spec_path.open(encoding=ENCODING, errors="replace") as file:
            return file.read(_MAX_SPEC)
    except OSError:
        return ""
