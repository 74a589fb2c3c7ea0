"""Where an export is written: a folder appears whole, and only an earlier export is replaced."""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.downloads.disk import locked
from workbench.errors import UserError
from workbench.files import fsync_folder
from workbench.messages import tr
from workbench.text import safe_text


def check_free(path: Path, force: bool) -> None:
    """Check whether a file may be written.

    Raises:
        UserError: it exists and may not be replaced, or is not a file.
    """
    if _is_there(path, force) and (path.is_symlink() or not path.is_file()):
        raise UserError(
            tr("{path} is not a plain file and is not replaced.", path=safe_text(path, 1000))
        )


def check_target(target: Path, force: bool, ours: Collection[str]) -> None:
    """Check whether a folder may be created.

    Args:
        target: the folder.
        force: True if an earlier export may be replaced.
        ours: names of all files that an export can hold; the first is in each.

    Raises:
        UserError: something exists that may not be replaced.
    """
    if _is_there(target, force) and (why := _why_foreign(target, list(ours))):
        raise UserError(
            tr(
                "--force replaces only earlier exports, and {target} {why}.",
                target=safe_text(target, 1000),
                why=why,
            ),
            tr("Name another with --out."),
        )


def _is_there(path: Path, force: bool) -> bool:
    """Return whether something exists at a path; raise UserError unless it may be replaced."""
    if not os.path.lexists(path):
        return False
    if not force:
        raise UserError(
            tr("{path} is there already.", path=safe_text(path, 1000)),
            tr("Name another with --out, or replace it: --force"),
        )
    return True


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


def _why_foreign(target: Path, ours: list[str]) -> str:
    """Return why the target is not an earlier export; "" if it is one."""
    if target.is_symlink() or not target.is_dir():
        return tr("is not a folder")
    names = sorted(path.name for path in target.iterdir())
    if others := [name for name in names if name not in ours]:
        return tr("holds {others}, which no export wrote", others=safe_text(others[0]))
    return "" if ours[0] in names else tr("has no {file}", file=ours[0])
