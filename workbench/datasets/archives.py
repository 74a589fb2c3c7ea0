"""Unpacks archives from the web without trusting the names in them."""

import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from workbench.errors import UserError
from workbench.progress import Progress
from workbench.text import safe_text

_CHUNK = 1 << 20
_ENCRYPTED = 1  # bit of a zip member's flags


def unpack(archive: Path, into: Path, progress: Progress) -> None:
    """Writes the files of a .zip, .tar.gz or .tgz under the folder `into`.

    Only plain files and folders are made, with the permissions of new files; so this needs no
    `tarfile` filter, which early Python 3.11 lacks.

    Args:
        archive: the file; its name decides how it is read.
        into: an empty folder.
        progress: told "unpack NAME", in bytes of the archive.

    Raises:
        UserError: the archive is damaged, or holds a link, a device, or a name that leads out of
            `into`. What was unpacked until then stays: the caller removes `into`.
        OSError: the disk is full or cannot be written.
    """
    if archive.suffix == ".zip":
        _unpack_zip(archive, into, progress)
    else:
        _unpack_tar(archive, into, progress)


def _unpack_zip(archive: Path, into: Path, progress: Progress) -> None:
    with readable(archive), zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        total, done = sum(member.compress_size for member in members), 0
        for member in members:
            if stat.S_ISLNK(member.external_attr >> 16):
                raise _refused(archive, member.filename, "is a link")
            if member.flag_bits & _ENCRYPTED:
                raise _refused(archive, member.filename, "is encrypted")
            target = inside(into, member.filename, archive)
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                with opened.open(member) as content:
                    _write(content, target)
            done += member.compress_size
            progress(f"unpack {archive.name}", done, total)


def _unpack_tar(archive: Path, into: Path, progress: Progress) -> None:
    total = archive.stat().st_size
    with readable(archive), archive.open("rb") as raw, tarfile.open(fileobj=raw) as opened:
        for member in opened:
            target = inside(into, member.name, archive)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif content := opened.extractfile(member) if member.isreg() else None:
                _write(content, target)
            else:
                raise _refused(archive, member.name, "is a link or a device")
            progress(f"unpack {archive.name}", raw.tell(), total)


def inside(folder: Path, name: str, archive: Path) -> Path:
    """Where a member of an archive belongs.

    Raises:
        UserError: that is not inside `folder`.
    """
    parts = PurePosixPath(name).parts
    if not parts and name != ".":
        raise _refused(archive, name, "has no name")
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise _refused(archive, name, "leads out of its folder")
    return folder.joinpath(*parts)


@contextmanager
def readable(archive: Path) -> Iterator[None]:
    """Turns what the readers of zip and tar raise over damaged files into a UserError."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        EOFError,
        gzip.BadGzipFile,
        NotImplementedError,  # zipfile: a compression it does not know
    ) as error:
        raise UserError(
            f"{safe_text(archive, 2000)} is damaged: {safe_text(error)}.",
            "Remove it and fetch it again.",
        ) from error


def _write(content: IO[bytes], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        while chunk := content.read(_CHUNK):
            file.write(chunk)


def _refused(archive: Path, name: str, what: str) -> UserError:
    return UserError(
        f"{safe_text(archive.name)} was not unpacked: its member '{safe_text(name)}' {what}.",
        "This is not the archive that was published; do not use it.",
    )
