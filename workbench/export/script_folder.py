"""Writes a run's script, with the table of its images beside it."""

import csv
import io
import os
from pathlib import Path

from workbench.datasets.manifest import levels_of
from workbench.datasets.names import SPLITS
from workbench.downloads.folders import disk_faults
from workbench.errors import UserError
from workbench.export.run_data import RunFacts, checked_spec
from workbench.export.script import ScriptFacts, script
from workbench.files import write_atomic
from workbench.runs.rows import text
from workbench.text import safe_text

_PRECISIONS = ("mixed_float16", "mixed_bfloat16")


def write_script(facts: RunFacts, target: Path, force: bool = False) -> tuple[Path, Path]:
    """Writes the script, and the CSV that it reads, of the same name.

    Args:
        target: the script; its name ends in .py.
        force: True to replace both where they are there.

    Returns:
        Both.

    Raises:
        UserError: the run has no split yet, its spec is of another version, a file is there
            already, or the disk.
    """
    if target.suffix != ".py":
        raise UserError(f"{safe_text(target, 1000)} is no name of a script: end it in .py.")
    spec = checked_spec(facts)
    if not facts.rows:
        raise UserError(
            f"{safe_text(facts.name)} has no split of its images yet.",
            "It is made when the run has read its images.",
        )
    table = target.with_suffix(".csv")
    for path in (target, table):
        check_free(path, force)
    content = script(spec, script_facts(facts, target.name))
    with disk_faults(target, "No script was written.", "name another file with --out FILE"):
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(table, image_table(facts))
        write_atomic(target, content)
    return target, table


def check_free(path: Path, force: bool) -> None:
    """Looks whether a file may be written.

    Raises:
        UserError: it is there and may not be replaced, or is no file.
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


def script_facts(facts: RunFacts, name: str) -> ScriptFacts:
    """What the script of that name has to know of the run beside its spec."""
    spec = checked_spec(facts)
    newest = max(facts.history.stages, default=None)
    event = {} if newest is None else facts.history.stages[newest].event
    precision = text(event.get("precision")) or spec.training.precision
    counts = {split: sum(row.split == split for row in facts.rows) for split in SPLITS}
    return ScriptFacts(
        labels=facts.labels,
        images=counts,
        name=name,
        npz=spec.data.source.endswith(".npz"),
        precision=precision if precision in _PRECISIONS else "float32",
        jit=event.get("jit") is True,
        levels=levels_of(facts.rows),
        came_to=_came_to(facts),
    )


def image_table(facts: RunFacts) -> str:
    """CSV: path, label and split of each image."""
    told = io.StringIO(newline="")
    writer = csv.writer(told)
    writer.writerow(("path", "label", "split"))
    writer.writerows((row.path, row.label, row.split) for row in facts.rows)
    return told.getvalue()


def _came_to(facts: RunFacts) -> str:
    results = facts.results
    if results is None or results.split not in SPLITS:
        return ""
    low, high = results.interval
    return (
        f"{results.split} accuracy {results.accuracy:.4f} ({low:.4f} to {high:.4f}), "
        f"{results.images} images"
    )
