"""The folder of an export: it appears whole, and replaces only an earlier export."""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.downloads.disk import locked
from workbench.errors import UserError
from workbench.files import fsync_folder
from workbench.text import safe_text


def check_target(target: Path, force: bool, ours: Collection[str]) -> None:
    """Check whether the folder may be created.

    Args:
        target: the folder.
        force: True if an earlier export may be replaced.
        ours: names of all files that an export can hold; the first is in each.

    Raises:
        UserError: something exists that may not be replaced.
    """
    if not os.path.lexists(target):
        return
    shown = safe_text(target, 1000)
    if not force:
        raise UserError(
            f"{shown} is there already.", "Name another with --out, or replace it: --force"
        )
    why = _no_export(target, list(ours))
    if why:
        raise UserError(
            f"--force replaces only earlier exports, and {shown} {why}.",
            "Name another with --out.",
        )


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder, which becomes `target` when the block succeeds.

    It is beside the target, under a hidden name. When the block fails it is removed, and the target
    is unchanged; what a killed process left is removed at the next start.

    Raises:
        UserError: another process fills the same folder.
    """
    lock = target.with_name(f".{target.name}.lock")
    with locked(lock, f"exporting to {safe_text(target, 1000)}"):
        fresh = target.with_name(f".{target.name}.export-new")
        aside = target.with_name(f".{target.name}.export-old")
        _clear_up(fresh, aside, target)
        fresh.mkdir()
        try:
            yield fresh
            if target.exists():
                target.rename(aside)
            fresh.rename(target)
            fsync_folder(target.parent)
        finally:
            _clear_up(fresh, aside, target)
            lock.unlink(missing_ok=True)


def _clear_up(fresh: Path, aside: Path, target: Path) -> None:
    """Restore the old folder if nothing took its place, and remove the rest."""
    if aside.exists() and not target.exists():
        aside.rename(target)
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(aside, ignore_errors=True)


def _no_export(target: Path, ours: list[str]) -> str:
    """Return why the target is not an earlier export; "" if it is one."""
    if target.is_symlink() or not target.is_dir():
        return "is no folder"
    names = sorted(path.name for path in target.iterdir())
    if others := [name for name in names if name not in ours]:
        return f"holds {safe_text(others[0])}, which no export wrote"
    return "" if ours[0] in names else f"has no {ours[0]}"
