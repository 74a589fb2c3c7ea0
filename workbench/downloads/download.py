"""Downloads that resume after an interruption and are verified."""

import hashlib
import os
import re
import shlex
import shutil
import socket
import time
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPResponse
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError

from workbench.downloads.disk import OTHER_WORKSPACE, disk_errors, locked
from workbench.downloads.web import (
    NetworkError,
    check_url,
    describe_error,
    is_transient,
    network_errors,
    web_opener,
)
from workbench.errors import UserError
from workbench.files import fsync_folder
from workbench.messages import tr
from workbench.progress import Progress, silent
from workbench.text import format_bytes, safe_text

_CHUNK = 1 << 18
_SPAN = re.compile(r"bytes ([0-9]{1,18})-[0-9]+/([0-9]{1,18}|\*)")
_LENGTH = re.compile("[0-9]{1,18}")
_KEPT = tr("The received part is kept; the next try resumes there.")


def download(
    url: str,
    target: Path,
    *,
    size: int | None = None,
    digest: str | None = None,
    progress: Progress = silent,
    timeout: float = 30.0,
    attempts: int = 4,
    backoff: float = 1.0,
    elsewhere: str = OTHER_WORKSPACE,
) -> Path:
    """Download a file, or return the existing one if it is correct.

    The bytes are collected in `<target>.part`, which survives an interruption and is resumed where
    `size` or `digest` can verify the whole. `target` appears only once verified.

    Args:
        url: http or https.
        target: The file; its folder is created.
        size: The published number of bytes, if known.
        digest: The published hash, "sha256:<hex>" or "md5:<hex>", if known.
        progress: Reports "download NAME" and "check NAME", in bytes.
        timeout: Seconds without a byte after which the connection counts as dead.
        attempts: Connections in a row without new bytes before giving up.
        backoff: Seconds before the second attempt, doubled for each further one.
        elsewhere: How to choose another place, shown where the disk cannot hold the file.

    Raises:
        UserError: No connection, no such file, a wrong size or hash, a full disk, another
            process on the same file, or a wrong file at `target`, which is left as it is.
    """
    check_url(url)
    part = target.with_name(f"{target.name}.part")
    with disk_errors(target, _KEPT, elsewhere):
        if target.exists():
            check_file(target, url, size=size, digest=digest, progress=progress)
            part.unlink(missing_ok=True)  # the file was copied here in the meantime
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(part, tr("downloading {target}", target=safe_text(target.name))):
            try:
                with part.open("ab", buffering=0) as file:
                    transfer = _Transfer(url, target, file, size, progress, timeout, elsewhere)
                    transfer.begin(resumable=bool(size or digest))
                    transfer.run(attempts, backoff)
                    os.fsync(file.fileno())
                _check_received(url, part, target, size, digest, progress)
                part.replace(target)
            finally:
                if part.exists() and part.stat().st_size == 0:
                    part.unlink()
        fsync_folder(target.parent)
    return target


def manual_instructions(url: str, target: Path) -> str:
    """Return how to copy the file from another machine, for one without internet."""
    here = f"{os.environ.get('USER', 'you')}@{socket.gethostname()}:{target.absolute()}"
    fetch = f"curl -L -o {shlex.quote(target.name)} {shlex.quote(url)}"
    copy = f"scp {shlex.quote(target.name)} {shlex.quote(here)}"
    return tr(
        "Manually, on a machine with internet:\n  {fetch}\n  {copy}\nthen try again.",
        fetch=safe_text(fetch, 4000),
        copy=safe_text(copy, 4000),
    )


def check_file(
    path: Path,
    source: str,
    *,
    size: int | None = None,
    digest: str | None = None,
    progress: Progress = silent,
) -> None:
    """Check an existing file against what was published; it is left as it is.

    Args:
        path: The file.
        source: Where it was published, for the message.
        size: As of `download`.
        digest: As of `download`.
        progress: Reports "check NAME", in bytes.

    Raises:
        UserError: Its size or hash is another.
    """
    if problem := _mismatch(path, size, digest, progress):
        raise UserError(
            tr(
                "{target} is not the file published at {url}: {problem}",
                target=safe_text(path, 2000),
                url=safe_text(source, 2000),
                problem=problem,
            ),
            tr("Move it elsewhere or remove it, then try again."),
        )


def _check_received(
    url: str, part: Path, target: Path, size: int | None, digest: str | None, progress: Progress
) -> None:
    if problem := _mismatch(part, size, digest, progress):
        part.unlink()
        raise UserError(
            tr(
                "What came from {url} is not the file that was published: {problem} "
                "It was deleted.",
                url=safe_text(url, 2000),
                problem=problem,
            ),
            tr(
                "Try again to restart the download. If this repeats, the file was "
                "changed or a proxy is in between. {manual_instructions}",
                manual_instructions=manual_instructions(url, target),
            ),
        )


def _mismatch(path: Path, size: int | None, digest: str | None, progress: Progress) -> str:
    """Return what is wrong with a file; "" where it is as published."""
    received = path.stat().st_size
    if size is not None and received != size:
        return tr(
            "{size:,} bytes are expected, {received:,} were received.", size=size, received=received
        )
    if digest is None:
        return ""
    algorithm, _, expected = digest.partition(":")
    hashed = hashlib.new(algorithm, usedforsecurity=False)
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK * 4):
            hashed.update(chunk)
            done += len(chunk)
            progress(
                tr("check {removesuffix}", removesuffix=path.name.removesuffix(".part")),
                done,
                received,
            )
    if hashed.hexdigest() == expected:
        return ""
    return tr(
        "{algorithm} {expected} is expected, {hexdigest} was received.",
        algorithm=algorithm,
        expected=expected,
        hexdigest=hashed.hexdigest(),
    )


@dataclass
class _Transfer:
    """A file in transfer.

    Attributes:
        have: Bytes received so far.
        most: The highest number ever received.
        answered: Whether the server has answered.
        version: ETag or date by which the server identifies the version of the file.
    """

    url: str
    target: Path
    file: BinaryIO
    size: int | None
    progress: Progress
    timeout: float
    elsewhere: str
    have: int = 0
    most: int = 0
    answered: bool = False
    version: str = ""

    def begin(self, *, resumable: bool) -> None:
        """Resume an existing part, or drop it where the whole could not be verified."""
        self.have = os.fstat(self.file.fileno()).st_size
        if self.have and (not resumable or (self.size is not None and self.have > self.size)):
            self._drop()
        self.most = self.have

    def run(self, attempts: int, backoff: float) -> None:
        """Connect until the file is complete; give up when no new bytes arrive."""
        failures = 0
        while self.size is None or self.have < self.size:
            before = self.most
            try:
                self._connect()
                return
            except NetworkError as fault:
                failures = 1 if self.most > before else failures + 1
                if failures >= attempts or not is_transient(fault.cause, answered=self.answered):
                    raise self._failure(fault.cause) from fault
            time.sleep(backoff * 2 ** (failures - 1))

    def _connect(self) -> None:
        headers = {"User-Agent": "workbench", "Accept-Encoding": "identity"}
        if self.have:
            headers["Range"] = f"bytes={self.have}-"
            if self.version:
                headers["If-Range"] = self.version
        request = urllib.request.Request(self.url, headers=headers)
        try:
            with network_errors():
                response = web_opener().open(request, timeout=self.timeout)
        except NetworkError as fault:
            refusal = fault.cause
            if not isinstance(refusal, HTTPError):
                raise
            self.answered = True
            if refusal.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not self.have:
                raise
            self._past_the_end(refusal)
        else:
            self.answered = True
            with response:
                self._receive(response, self._position(response))

    def _position(self, response: HTTPResponse) -> int | None:
        """Position the file for this response; return its total length, if the server sends it."""
        start, total = 0, None
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            span = _SPAN.fullmatch(response.headers.get("Content-Range", ""))
            if not span or int(span[1]) != self.have:
                self._drop()
                raise NetworkError(ConnectionError("the server sent another part than requested"))
            start, total = self.have, None if span[2] == "*" else int(span[2])
        elif _LENGTH.fullmatch(length := response.headers.get("Content-Length", "")):
            total = int(length)
        if total is not None:
            self._accept(total)
        if start == 0 and self.have:  # the server ignores ranges, or has another version now
            self._drop()
        version = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        self.version = "" if version.startswith("W/") else version  # a weak tag identifies nothing
        return total

    def _accept(self, total: int) -> None:
        """Refuse a file of the wrong size, or too large for the disk, before it is downloaded."""
        if self.size is not None and total != self.size:
            raise UserError(
                tr(
                    "{url} is not the file that was published: the server offers "
                    "{total:,} bytes, {size:,} are expected.",
                    url=safe_text(self.url, 2000),
                    total=total,
                    size=self.size,
                ),
                tr("A proxy or login page may be in between, or the file was changed. ")
                + manual_instructions(self.url, self.target),
            )
        folder = self.target.parent
        missing, free = total - self.have, shutil.disk_usage(folder).free
        if missing > free:
            raise UserError(
                tr(
                    "{target_name} needs {missing} more, and {folder} has {free} free. {kept}",
                    target_name=safe_text(self.target.name),
                    missing=format_bytes(missing),
                    folder=safe_text(folder, 2000),
                    free=format_bytes(free),
                    kept=_KEPT,
                ),
                tr("Make room there or {elsewhere}.", elsewhere=self.elsewhere),
            )

    def _receive(self, response: HTTPResponse, total: int | None) -> None:
        goal = self.size if total is None else total
        phase = tr("download {target}", target=self.target.name)
        self.progress(phase, self.have, goal or 0)
        while total is None or self.have < total:
            with network_errors():
                chunk = response.read1(_CHUNK)
            if not chunk:
                break
            self._write(chunk)
            self.progress(phase, self.have, goal or 0)
            if goal is not None and self.have > goal:
                return  # too many bytes: the check of the size will report it
        if goal is not None and self.have < goal:
            raise NetworkError(ConnectionError("the connection was closed early"))

    def _write(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:  # unbuffered, so that a Ctrl-C loses nothing; may write less than given
            written = self.file.write(rest)
            self.have += written
            rest = rest[written:]
        self.most = max(self.most, self.have)

    def _past_the_end(self, refusal: HTTPError) -> None:
        """Handle a range beyond the end: the file is complete, or another one."""
        if refusal.headers.get("Content-Range") != f"bytes */{self.have}":
            self._drop()
            raise NetworkError(ConnectionError("the file on the server became shorter"))

    def _drop(self) -> None:
        self.file.truncate(0)
        self.have, self.version = 0, ""

    def _failure(self, cause: Exception) -> UserError:
        here = (
            tr("{have} were received; the next try resumes there.", have=format_bytes(self.have))
            + " "
        )
        return UserError(
            tr(
                "{url} could not be downloaded: {error}",
                url=safe_text(self.url, 2000),
                error=describe_error(cause, self.url, self.timeout),
            ),
            (here if self.have else "") + manual_instructions(self.url, self.target),
        )
