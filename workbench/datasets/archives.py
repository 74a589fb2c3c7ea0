"""Unpacks archives from the web without trusting the names and sizes in them."""

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
from workbench.progress import Progress
from workbench.text import human_bytes, safe_text

# Images hardly shrink in an archive: what grows tenfold is a trap.
MOST_MEMBERS = 200_000
MOST_RATIO = 10
SMALL = 64_000_000  # bytes that any archive may unpack to

_CHUNK = 1 << 20
_SIP = 1 << 26  # the most that is read of a tar file at once; a batch of CIFAR-10 has half
_ENCRYPTED = 1  # bit of a zip member's flags
_ZIP_HEADER = 30  # bytes before the name and the content of a member
_DRIVE = re.compile(r"[A-Za-z]:")
_NO_NAME_HERE = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}

# What the readers raise over damaged and forged archives.
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
    """Writes the files of a .zip, .tar.gz or .tgz under the folder `into`.

    Only plain files and folders are made, each once, with the permissions of new files; so this
    needs no `tarfile` filter, which early Python 3.11 lacks.

    Args:
        archive: the file; its name decides how it is read.
        into: an empty folder.
        progress: told "unpack NAME", in bytes of the archive.

    Raises:
        UserError: the archive is damaged, or holds a link, a device, a name that leads out of
            `into` or comes twice, far too many members or bytes. What was unpacked until then
            stays: the caller removes `into`.
        OSError: the disk is full or cannot be written.
    """
    target = _Target(archive, into)
    if archive.suffix == ".zip":
        _unpack_zip(archive, target, progress)
    else:
        _unpack_tar(archive, target, progress)


class _Target:
    """The folder that an archive is unpacked into, and how much may still come."""

    def __init__(self, archive: Path, folder: Path) -> None:
        self.archive, self.folder = archive, folder
        self.most_bytes = max(SMALL, MOST_RATIO * archive.stat().st_size)
        self.left = self.most_bytes
        self.members = 0

    def add(self, name: str, content: IO[bytes] | None, size: int = 0) -> None:
        """Makes a file, or a folder where there is no content.

        Args:
            size: bytes that the archive announces.
        """
        self.members += 1
        if self.members > MOST_MEMBERS:
            raise _refused(self.archive, name, f"comes after {MOST_MEMBERS:,} others")
        if size > self.left:
            raise self._too_much(name)
        path = inside(self.folder, name, self.archive)
        try:
            if content is None:
                path.mkdir(parents=True, exist_ok=True)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                self._copy(name, content, file)
        except (FileExistsError, NotADirectoryError):
            raise _refused(self.archive, name, "takes the place of another") from None
        except OSError as error:
            if error.errno not in _NO_NAME_HERE:
                raise
            raise _refused(self.archive, name, "has no name that a file can have") from None

    def _copy(self, name: str, content: IO[bytes], file: BinaryIO) -> None:
        while chunk := content.read(_CHUNK):
            self.left -= len(chunk)
            if self.left < 0:
                raise self._too_much(name)
            file.write(chunk)

    def _too_much(self, name: str) -> UserError:
        most = human_bytes(self.most_bytes)
        return _refused(self.archive, name, f"would make it more than {most} unpacked")


def _unpack_zip(archive: Path, target: _Target, progress: Progress) -> None:
    with readable(archive), zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        _refuse_overlaps(archive, members)
        total, done = sum(member.compress_size for member in members), 0
        for member in members:
            if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(archive, member.filename, "is a link or a device")
            if member.flag_bits & _ENCRYPTED:
                raise _refused(archive, member.filename, "is encrypted")
            if member.is_dir():
                target.add(member.filename, None)
            else:
                with opened.open(member) as content:
                    target.add(member.filename, content, member.file_size)
            done += member.compress_size
            progress(f"unpack {archive.name}", done, total)


def _refuse_overlaps(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    """Members that share their bytes are how a small zip grows without end."""
    end = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        if member.header_offset < end:
            raise _refused(archive, member.filename, "lies inside another")
        end = member.header_offset + _ZIP_HEADER + member.compress_size


def _unpack_tar(archive: Path, target: _Target, progress: Progress) -> None:
    total = archive.stat().st_size
    with readable(archive), archive.open("rb") as raw, opened_tar(raw) as opened:
        for member in opened:
            if member.isdir():
                target.add(member.name, None)
            elif content := opened.extractfile(member) if member.isreg() else None:
                target.add(member.name, content, member.size)
            else:
                raise _refused(archive, member.name, "is a link or a device")
            progress(f"unpack {archive.name}", raw.tell(), total)


def opened_tar(raw: BinaryIO) -> tarfile.TarFile:
    """A gzipped tar file; what it reads at once is bounded, except in members."""
    return tarfile.open(fileobj=cast(BinaryIO, _Sips(gzip.GzipFile(fileobj=raw))), mode="r:")


class _Sips(io.RawIOBase):
    """A stream of which nobody reads much at once: a header may claim to be gigabytes long."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """Raises tarfile.ReadError where too much is asked for."""
        if not 0 <= size <= _SIP:
            raise tarfile.ReadError(f"{size:,} bytes are to be read at once")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def inside(folder: Path, name: str, archive: Path) -> Path:
    """Where a member of an archive belongs.

    Raises:
        UserError: that is not inside `folder`, here or on another system.
    """
    parts = PurePosixPath(name).parts
    if not parts and name != ".":
        raise _refused(archive, name, "has no name")
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise _refused(archive, name, "leads out of its folder")
    if "\\" in name or _DRIVE.match(name):
        raise _refused(archive, name, "has a name of another system")
    return folder.joinpath(*parts)


@contextmanager
def readable(archive: Path) -> Iterator[None]:
    """Turns what the readers of zip and tar raise over damaged files into a UserError.

    Raises:
        OSError: the disk is full or cannot be written.
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
        f"{safe_text(archive, 2000)} is damaged: {safe_text(error)}.",
        "Remove it and fetch it again.",
    )


def _refused(archive: Path, name: str, what: str) -> UserError:
    return UserError(
        f"{safe_text(archive.name)} was not unpacked: its member '{safe_text(name)}' {what}.",
        "This is not the archive that was published; do not use it.",
    )
