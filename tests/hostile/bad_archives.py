"""Zip and tar files that write outside of their folder, or more than they announce."""

import gzip
import io
import stat
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

OUTSIDE = "escaped.txt"  # what none of them may write
_MEGABYTE = 1_000_000

Make = Callable[[Path], None]


def _zip(*members: tuple[str | zipfile.ZipInfo, bytes]) -> Make:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members:
                archive.writestr(member, content)

    return make


def _typed(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    return info


def _tar(*members: tuple[str, bytes, bytes | str]) -> Make:
    """Members: name, tarfile's type, and the content or the target of a link."""

    def make(path: Path) -> None:
        with tarfile.open(path, "w:gz") as archive:
            for name, kind, content in members:
                info = tarfile.TarInfo(name)
                info.type = kind
                if isinstance(content, str):
                    info.linkname = content
                    archive.addfile(info)
                else:
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))

    return make


def _content(content: bytes) -> Make:
    def make(path: Path) -> None:
        path.write_bytes(content)

    return make


def _twice_zip(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zipfile's own, of the second name
        _zip(("a/1.jpg", b"first"), ("a/1.jpg", b"second"))(path)


def _zip_bomb(path: Path) -> None:
    _zip(("a/big.jpg", bytes(65 * _MEGABYTE)))(path)


def _many_small(path: Path) -> None:
    _zip(*((f"a/{n}.jpg", bytes(14 * _MEGABYTE)) for n in range(5)))(path)


def _lying_zip(path: Path) -> None:
    """Both headers of the member announce 10 bytes; the content has 1,000."""
    _zip(("a/small.jpg", bytes(1000)))(path)
    size = struct.pack("<I", 1000)
    path.write_bytes(path.read_bytes().replace(size, struct.pack("<I", 10)))


def _overlapping_zip(path: Path) -> None:
    """Two entries of the directory that mean the same bytes."""
    _zip(("a/1.jpg", bytes(1000)), ("a/2.jpg", bytes(1000)))(path)
    content = bytearray(path.read_bytes())
    second = content.rindex(b"PK\x01\x02")
    content[second + 42 : second + 46] = struct.pack("<I", 0)
    path.write_bytes(content)


def _encrypted_zip(path: Path) -> None:
    _zip(("a/1.jpg", b"x"))(path)
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)


def _long_header_tar(path: Path) -> None:
    """A header for a long name, announced to be a gigabyte of zeros that shrink to nothing."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    with gzip.open(path, "wb", 1) as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.write(bytes(_MEGABYTE))


def _sparse_tar(path: Path) -> None:
    """A file with a hole of a terabyte: only a header."""
    info = tarfile.TarInfo("a/hole.jpg")
    info.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (0, 0)
    header[483:495] = b"%011o\0" % ((1 << 33) - 1)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path.write_bytes(gzip.compress(bytes(header) + bytes(1024)))


def _pax_number_tar(path: Path) -> None:
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a/1.jpg")
        info.pax_headers = {"GNU.sparse.major": "9" * 5000, "GNU.sparse.size": "9" * 5000}
        archive.addfile(info)


_FILE, _LINK, _HARD = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
_LONG = "n" * 300

# By file name: how it is made, and a part of the message.
REFUSED: dict[str, tuple[Make, str]] = {
    "up.zip": (_zip((f"../{OUTSIDE}", b"x")), "leads out of its folder"),
    "up-inside.zip": (_zip((f"a/b/../../../{OUTSIDE}", b"x")), "leads out of its folder"),
    "absolute.zip": (_zip((f"/tmp/{OUTSIDE}", b"x")), "leads out of its folder"),
    "drive.zip": (_zip((f"C:/{OUTSIDE}", b"x")), "has a name of another system"),
    "backslashes.zip": (_zip((f"..\\{OUTSIDE}", b"x")), "has a name of another system"),
    "link.zip": (_zip((_typed("a", stat.S_IFLNK), b"/tmp")), "is a link or a device"),
    "pipe.zip": (_zip((_typed("a", stat.S_IFIFO), b"")), "is a link or a device"),
    "device.zip": (_zip((_typed("a", stat.S_IFBLK), b"")), "is a link or a device"),
    "bomb.zip": (_zip_bomb, "would make it more than 64 MB unpacked"),
    "many.zip": (_many_small, "would make it more than 64 MB unpacked"),
    "lying.zip": (_lying_zip, "is damaged"),
    "overlapping.zip": (_overlapping_zip, "lies inside another"),
    "encrypted.zip": (_encrypted_zip, "is encrypted"),
    "file-then-folder.zip": (_zip(("a", b"x"), ("a/b", b"x")), "takes the place of another"),
    "folder-then-file.zip": (_zip(("a/b", b"x"), ("a", b"x")), "takes the place of another"),
    "long-name.zip": (_zip((_LONG, b"x")), "has no name that a file can have"),
    "twice.zip": (_twice_zip, "takes the place of another"),
    "no-zip.zip": (_content(b"PK\x05\x06"), "is damaged"),
    "up.tgz": (_tar((f"../{OUTSIDE}", _FILE, b"x")), "leads out of its folder"),
    "up-inside.tgz": (_tar((f"a/../../{OUTSIDE}", _FILE, b"x")), "leads out of its folder"),
    "absolute.tgz": (_tar((f"/tmp/{OUTSIDE}", _FILE, b"x")), "leads out of its folder"),
    "drive.tgz": (_tar((f"c:{OUTSIDE}", _FILE, b"x")), "has a name of another system"),
    "through-a-link.tgz": (
        _tar(("a", _LINK, ".."), (f"a/{OUTSIDE}", _FILE, b"x")),
        "is a link or a device",
    ),
    "hard-link.tgz": (_tar(("a", _HARD, "/etc/passwd")), "is a link or a device"),
    "pipe.tgz": (_tar(("a", tarfile.FIFOTYPE, b"")), "is a link or a device"),
    "device.tgz": (_tar(("a", tarfile.BLKTYPE, b"")), "is a link or a device"),
    "twice.tgz": (_tar(("a", _FILE, b"1"), ("a", _FILE, b"2")), "takes the place of another"),
    "twice-by-dot.tgz": (_tar(("a", _FILE, b"1"), ("./a", _FILE, b"2")), "takes the place"),
    "bomb.tgz": (_tar(("a", _FILE, bytes(65 * _MEGABYTE))), "would make it more than 64 MB"),
    "hole.tgz": (_sparse_tar, "would make it more than 64 MB"),
    "long-header.tgz": (_long_header_tar, "is damaged"),
    "long-number.tgz": (_pax_number_tar, "is damaged"),
    "escapes.tgz": (_tar(("../\x1b[31m\u202e\n", _FILE, b"x")), "leads out of its folder"),
    "no-tar.tgz": (_content(b"\x1f\x8b"), "is damaged"),
}


def write_all(folder: Path) -> Path:
    """Writes them all; returns the folder."""
    folder.mkdir(parents=True)
    for name, (make, _) in REFUSED.items():
        make(folder / name)
    return folder


def zip_of(path: Path, files: dict[str, bytes]) -> None:
    """A sound zip."""
    _zip(*files.items())(path)


def tar_of(path: Path, files: dict[str, bytes]) -> None:
    """A sound tar.gz."""
    _tar(*((name, tarfile.REGTYPE, content) for name, content in files.items()))(path)
