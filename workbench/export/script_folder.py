"""A run's script as a file, with the table of its images beside it."""

import csv
import io
import os
from pathlib import Path

from workbench.datasets.manifest import manifest_levels
from workbench.downloads.disk import disk_errors
from workbench.errors import UserError
from workbench.experiment.facts import SPLITS
from workbench.export.run_data import RunData, checked_spec
from workbench.export.script import ScriptInputs, script
from workbench.files import write_atomic
from workbench.text import safe_text

_PRECISIONS = ("mixed_float16", "mixed_bfloat16")


def write_script(data: RunData, target: Path, force: bool = False) -> tuple[Path, Path]:
    """Write the script, and the CSV of the same name that it reads.

    Args:
        data: of the run.
        target: the script; its name ends in .py.
        force: True to replace existing files.

    Returns:
        Script and CSV.

    Raises:
        UserError: the run has no split yet, its spec is of another version, a file exists
            already, or the disk failed.
    """
    if target.suffix != ".py":
        raise UserError(f"{safe_text(target, 1000)} is no name of a script: end it in .py.")
    spec = checked_spec(data)
    if not data.rows:
        raise UserError(
            f"{safe_text(data.name)} has no split of its images yet.",
            "It is made when the run has read its images.",
        )
    table = target.with_suffix(".csv")
    for path in (target, table):
        check_free(path, force)
    content = script(spec, script_facts(data, target.name))
    with disk_errors(target, "No script was written.", "name another file with --out FILE"):
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(table, image_table(data))
        write_atomic(target, content)
    return target, table


def check_free(path: Path, force: bool) -> None:
    """Check whether a file may be written.

    Raises:
        UserError: it exists and may not be replaced, or is not a file.
    """
    if not os.path.lexists(path):
        return
    if not force:
        raise UserError(
            f"{safe_text(path, 1000)} is there already.",
            "Name another with --out, or replace it: --force",
        )
    if path.is_symlink() or not path.is_file():
        raise UserError(f"{safe_text(path, 1000)} is no plain file and is not replaced.")


def script_facts(data: RunData, name: str) -> ScriptInputs:
    """Return what the script of that name needs of the run beside its spec."""
    spec = checked_spec(data)
    newest = max(data.history.stages, default=None)
    started = None if newest is None else data.history.stages[newest].started
    precision = (started.precision if started else "") or spec.training.precision
    counts = {split: sum(row.split == split for row in data.rows) for split in SPLITS}
    return ScriptInputs(
        labels=data.labels,
        images=counts,
        name=name,
        npz=spec.data.source.lower().endswith(".npz"),
        precision=precision if precision in _PRECISIONS else "float32",
        jit=started.jit if started else False,
        levels=manifest_levels(data.rows),
        run_result=_result(data),
    )


def image_table(data: RunData) -> str:
    """Return path, label and split of each image as CSV."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(("path", "label", "split"))
    writer.writerows((row.path, row.label, row.split) for row in data.rows)
    return table.getvalue()


def _result(data: RunData) -> str:
    results = data.results
    if results is None or results.split not in SPLITS:
        return ""
    low, high = results.interval
    return (
        f"{results.split} accuracy {results.accuracy:.4f} ({low:.4f} to {high:.4f}), "
        f"{results.images} images"
    )
