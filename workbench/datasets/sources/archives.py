"""Unpack archives from the web without trusting the names and sizes in them."""

import errno
import gzip
import io
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from workbench.errors import UserError
from workbench.messages import tr
from workbench.progress import Progress
from workbench.text import format_bytes, safe_text

# Images hardly shrink in an archive: one that grows tenfold is a zip bomb.
MAX_MEMBERS = 200_000
MAX_RATIO = 10
ALWAYS_ALLOWED = 64_000_000  # bytes that any archive may unpack to

_CHUNK = 1 << 20
_MAX_READ = 1 << 26  # bytes of a tar file at once; a batch of CIFAR-10 has half
_ENCRYPTED = 1  # bit of a zip member's flags
_ZIP_HEADER = 30  # bytes before the name and the content of a member
_DRIVE = re.compile(r"[A-Za-z]:")
_IMPOSSIBLE_NAME = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}

# Raised by the readers for damaged and forged archives.
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    KeyError,
    OverflowError,
    RecursionError,
    NotImplementedError,  # zipfile: a compression it does not know
)


def unpack(archive: Path, into: Path, progress: Progress) -> None:
    """Write the files of a .zip, .tar.gz or .tgz below the folder `into`.

    Only plain files and folders are created, each once, with the permissions of new files; so
    this needs no `tarfile` filter, which early Python 3.11 lacks.

    Args:
        archive: The file; its name decides how it is read.
        into: An empty folder.
        progress: Reports "unpack NAME", in bytes of the archive.

    Raises:
        UserError: The archive is damaged, or holds a link, a device, a name that leads out of
            `into` or appears twice, far too many members or bytes. Files unpacked until then
            stay: the caller removes `into`.
        OSError: The disk is full or cannot be written.
    """
    target = _Target(archive, into)
    if archive.suffix == ".zip":
        _unpack_zip(archive, target, progress)
    else:
        _unpack_tar(archive, target, progress)


class _Target:
    """The folder that an archive is unpacked into, and the remaining budget of bytes."""

    def __init__(self, archive: Path, folder: Path) -> None:
        self.archive, self.folder = archive, folder
        self.max_bytes = max(ALWAYS_ALLOWED, MAX_RATIO * archive.stat().st_size)
        self.remaining = self.max_bytes
        self.members = 0

    def add(self, name: str, content: IO[bytes] | None, size: int = 0) -> None:
        """Create a file, or a folder where there is no content.

        Args:
            name: Of the member.
            content: Of the file.
            size: Bytes that the archive announces.
        """
        self.members += 1
        if self.members > MAX_MEMBERS:
            raise _refused(
                self.archive,
                name,
                tr("comes after {max_members:,} others", max_members=MAX_MEMBERS),
            )
        if size > self.remaining:
            raise self._too_much(name)
        path = member_path(self.folder, name, self.archive)
        try:
            if content is None:
                path.mkdir(parents=True, exist_ok=True)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                self._copy(name, content, file)
        except (FileExistsError, NotADirectoryError):
            raise _refused(self.archive, name, tr("takes the place of another")) from None
        except OSError as error:
            if error.errno not in _IMPOSSIBLE_NAME:
                raise
            raise _refused(self.archive, name, tr("has no name that a file can have")) from None

    def _copy(self, name: str, content: IO[bytes], file: BinaryIO) -> None:
        while chunk := content.read(_CHUNK):
            self.remaining -= len(chunk)
            if self.remaining < 0:
                raise self._too_much(name)
            file.write(chunk)

    def _too_much(self, name: str) -> UserError:
        limit = format_bytes(self.max_bytes)
        return _refused(
            self.archive, name, tr("would make it more than {limit} unpacked", limit=limit)
        )


def _unpack_zip(archive: Path, target: _Target, progress: Progress) -> None:
    with damage_errors(archive), zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        _refuse_overlaps(archive, members)
        total, done = sum(member.compress_size for member in members), 0
        for member in members:
            if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(archive, member.filename, tr("is a link or a device"))
            if member.flag_bits & _ENCRYPTED:
                raise _refused(archive, member.filename, tr("is encrypted"))
            if member.is_dir():
                target.add(member.filename, None)
            else:
                with opened.open(member) as content:
                    target.add(member.filename, content, member.file_size)
            done += member.compress_size
            progress(tr("unpack {archive}", archive=archive.name), done, total)


def _refuse_overlaps(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse members that share their bytes: so a small zip can grow without limit."""
    end = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        if member.header_offset < end:
            raise _refused(archive, member.filename, tr("lies inside another"))
        end = member.header_offset + _ZIP_HEADER + member.compress_size


def _unpack_tar(archive: Path, target: _Target, progress: Progress) -> None:
    total = archive.stat().st_size
    with damage_errors(archive), archive.open("rb") as raw, open_tar(raw) as opened:
        for member in opened:
            if member.isdir():
                target.add(member.name, None)
            elif content := opened.extractfile(member) if member.isreg() else None:
                target.add(member.name, content, member.size)
            else:
                raise _refused(archive, member.name, tr("is a link or a device"))
            progress(tr("unpack {archive}", archive=archive.name), raw.tell(), total)


def open_tar(raw: BinaryIO) -> tarfile.TarFile:
    """Open a gzipped tar file with bounded reads, except in members."""
    return tarfile.open(
        fileobj=cast(BinaryIO, _BoundedReads(gzip.GzipFile(fileobj=raw))), mode="r:"
    )


class _BoundedReads(io.RawIOBase):
    """A stream with bounded reads: a header may claim to be gigabytes long."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """Read at most _MAX_READ bytes; raise tarfile.ReadError for more."""
        if not 0 <= size <= _MAX_READ:
            raise tarfile.ReadError(f"{size:,} bytes are to be read at once")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io.IOBase.seek`."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """See `io.IOBase.tell`."""
        return self._stream.tell()


def member_path(folder: Path, name: str, archive: Path) -> Path:
    """Return the path of a member of an archive.

    Raises:
        UserError: It is not inside `folder`, here or on another system.
    """
    parts = PurePosixPath(name).parts
    if not parts and name != ".":
        raise _refused(archive, name, tr("has no name"))
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise _refused(archive, name, tr("leads out of its folder"))
    if "\\" in name or _DRIVE.match(name):
        raise _refused(archive, name, tr("has a name of another system"))
    return folder.joinpath(*parts)


@contextmanager
def damage_errors(archive: Path) -> Iterator[None]:
    """Turn anything that the readers of zip and tar raise over damage into a UserError.

    Raises:
        OSError: The disk is full or cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # the readers' own have none
            raise
        raise _damaged(archive, error) from error
    except _DAMAGE as error:
        raise _damaged(archive, error) from error


def _damaged(archive: Path, error: Exception) -> UserError:
    return UserError(
        tr(
            "{archive} is damaged: {error}.",
            archive=safe_text(archive, 2000),
            error=safe_text(error),
        ),
        tr("Remove it and fetch it again."),
    )


def _refused(archive: Path, name: str, problem: str) -> UserError:
    return UserError(
        tr(
            "{archive_name} was not unpacked: its member '{name}' {problem}.",
            archive_name=safe_text(archive.name),
            name=safe_text(name),
            problem=problem,
        ),
        tr("This is not the archive that was published; do not use it."),
    )
