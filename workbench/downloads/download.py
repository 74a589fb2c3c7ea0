"""Downloads that continue where they stopped and are checked before they count."""

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

from workbench.downloads.folders import OTHER_WORKSPACE, disk_faults, locked
from workbench.downloads.web import (
    NetworkError,
    check_address,
    may_pass,
    network,
    reason,
    web_opener,
)
from workbench.errors import UserError
from workbench.files import sync_folder
from workbench.progress import Progress, silent
from workbench.text import human_bytes, safe_text

_CHUNK = 1 << 18
_SPAN = re.compile(r"bytes ([0-9]{1,18})-[0-9]+/([0-9]{1,18}|\*)")
_LENGTH = re.compile("[0-9]{1,18}")
_KEPT = "What has arrived is kept; the next try continues there."


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
    """Brings a file from the web, or returns the one that is already there and right.

    The bytes gather in `<target>.part`, which outlives an interruption and is continued where
    `size` or `digest` can tell that the whole is right. `target` appears only when checked.

    Args:
        url: http or https.
        target: where the file shall be; its folder is made.
        size: the published number of bytes, if known.
        digest: the published hash, "sha256:<hex>" or "md5:<hex>", if known.
        progress: told "download NAME" and "check NAME", in bytes.
        timeout: seconds without a byte after which the connection counts as dead.
        attempts: connections in a row that may bring nothing new.
        backoff: seconds before the second attempt, doubled for each further one.
        elsewhere: how to choose another place, told where the disk cannot take the file.

    Raises:
        UserError: no connection, no such file, a wrong size or hash, a full disk, another
            process on the same file, or a wrong file at `target`, which is left as it is.
    """
    check_address(url)
    part = target.with_name(f"{target.name}.part")
    with disk_faults(target, _KEPT, elsewhere):
        if target.exists():
            _check_present(url, target, size, digest, progress)
            part.unlink(missing_ok=True)  # the file was brought by hand in the meantime
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(part, f"downloading {safe_text(target.name)}"):
            try:
                with part.open("ab", buffering=0) as file:
                    transfer = _Transfer(url, target, file, size, progress, timeout, elsewhere)
                    transfer.begin(may_continue=bool(size or digest))
                    transfer.run(attempts, backoff)
                    os.fsync(file.fileno())
                _check_received(url, part, target, size, digest, progress)
                part.replace(target)
            finally:
                if part.exists() and part.stat().st_size == 0:
                    part.unlink()
        sync_folder(target.parent)
    return target


def by_hand(url: str, target: Path) -> str:
    """How to bring the file from another machine, for one that has no internet."""
    here = f"{os.environ.get('USER', 'you')}@{socket.gethostname()}:{target.absolute()}"
    fetch = f"curl -L -o {shlex.quote(target.name)} {shlex.quote(url)}"
    bring = f"scp {shlex.quote(target.name)} {shlex.quote(here)}"
    return (
        "By hand, on a machine with internet:\n"
        f"  {safe_text(fetch, 4000)}\n"
        f"  {safe_text(bring, 4000)}\n"
        "then try again."
    )


def _check_present(
    url: str, target: Path, size: int | None, digest: str | None, progress: Progress
) -> None:
    if problem := _mismatch(target, size, digest, progress):
        raise UserError(
            f"{safe_text(target, 2000)} is not the file published at {safe_text(url, 2000)}: "
            f"{problem}",
            "Move it elsewhere or remove it, then try again.",
        )


def _check_received(
    url: str, part: Path, target: Path, size: int | None, digest: str | None, progress: Progress
) -> None:
    if problem := _mismatch(part, size, digest, progress):
        part.unlink()
        raise UserError(
            f"What came from {safe_text(url, 2000)} is not the file that was published: "
            f"{problem} It was thrown away.",
            "Try again to start afresh. If this repeats, the file was changed or "
            f"a proxy stands in between. {by_hand(url, target)}",
        )


def _mismatch(path: Path, size: int | None, digest: str | None, progress: Progress) -> str:
    """What is wrong with a file, in words; empty where it is as published."""
    received = path.stat().st_size
    if size is not None and received != size:
        return f"{size:,} bytes are expected, {received:,} were received."
    if digest is None:
        return ""
    algorithm, _, expected = digest.partition(":")
    running = hashlib.new(algorithm, usedforsecurity=False)
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK * 4):
            running.update(chunk)
            done += len(chunk)
            progress(f"check {path.name.removesuffix('.part')}", done, received)
    if running.hexdigest() == expected:
        return ""
    return f"{algorithm} {expected} is expected, {running.hexdigest()} was received."


@dataclass
class _Transfer:
    """One file on its way: how much of it is here, and what the server said about it."""

    url: str
    target: Path
    file: BinaryIO
    size: int | None
    progress: Progress
    timeout: float
    elsewhere: str
    have: int = 0
    most: int = 0  # the furthest it ever was
    answered: bool = False
    version: str = ""  # ETag or date by which the server knows whether the file is still the same

    def begin(self, *, may_continue: bool) -> None:
        """Takes up what is there already, or drops it where nothing could tell if it is right."""
        self.have = os.fstat(self.file.fileno()).st_size
        if self.have and (not may_continue or (self.size is not None and self.have > self.size)):
            self._drop()
        self.most = self.have

    def run(self, attempts: int, backoff: float) -> None:
        """Connects until the file is complete; gives up when nothing new comes any more."""
        failures = 0
        while self.size is None or self.have < self.size:
            before = self.most
            try:
                self._connect()
                return
            except NetworkError as fault:
                failures = 1 if self.most > before else failures + 1
                if failures >= attempts or not may_pass(fault.cause, answered=self.answered):
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
            with network():
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
                self._receive(response, self._place(response))

    def _place(self, response: HTTPResponse) -> int | None:
        """Puts the file where this answer continues; returns how long the server says it is."""
        start, total = 0, None
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            span = _SPAN.fullmatch(response.headers.get("Content-Range", ""))
            if not span or int(span[1]) != self.have:
                self._drop()
                raise NetworkError(ConnectionError("the server sent another part than asked for"))
            start, total = self.have, None if span[2] == "*" else int(span[2])
        elif _LENGTH.fullmatch(length := response.headers.get("Content-Length", "")):
            total = int(length)
        if total is not None:
            self._accept(total)
        if start == 0 and self.have:  # the server ignores ranges, or has another version now
            self._drop()
        version = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        self.version = "" if version.startswith("W/") else version  # a weak tag proves nothing
        return total

    def _accept(self, total: int) -> None:
        """Refuses a file of the wrong size, or too large for the disk, before it is fetched."""
        if self.size is not None and total != self.size:
            raise UserError(
                f"{safe_text(self.url, 2000)} is not the file that was published: the server "
                f"offers {total:,} bytes, {self.size:,} are expected.",
                "A proxy or login page may stand in between, or the file was changed. "
                + by_hand(self.url, self.target),
            )
        folder = self.target.parent
        missing, free = total - self.have, shutil.disk_usage(folder).free
        if missing > free:
            raise UserError(
                f"{safe_text(self.target.name)} needs {human_bytes(missing)} more, and "
                f"{safe_text(folder, 2000)} has {human_bytes(free)} free. {_KEPT}",
                f"Make room there or {self.elsewhere}.",
            )

    def _receive(self, response: HTTPResponse, total: int | None) -> None:
        goal = self.size if total is None else total
        phase = f"download {self.target.name}"
        self.progress(phase, self.have, goal or 0)
        while total is None or self.have < total:
            with network():
                chunk = response.read1(_CHUNK)
            if not chunk:
                break
            self._write(chunk)
            self.progress(phase, self.have, goal or 0)
            if goal is not None and self.have > goal:
                return  # more than there should be: the check of the size will say so
        if goal is not None and self.have < goal:
            raise NetworkError(ConnectionError("the connection was closed early"))

    def _write(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:  # unbuffered, so that a Ctrl-C loses nothing; may write less than asked
            written = self.file.write(rest)
            self.have += written
            rest = rest[written:]
        self.most = max(self.most, self.have)

    def _past_the_end(self, refusal: HTTPError) -> None:
        """The server has nothing after what is here: all of it is here, or it is another file."""
        if refusal.headers.get("Content-Range") != f"bytes */{self.have}":
            self._drop()
            raise NetworkError(ConnectionError("the file on the server became shorter"))

    def _drop(self) -> None:
        self.file.truncate(0)
        self.have, self.version = 0, ""

    def _failure(self, cause: Exception) -> UserError:
        here = f"{human_bytes(self.have)} of it are here; the next try continues there. "
        return UserError(
            f"{safe_text(self.url, 2000)} could not be downloaded: "
            f"{reason(cause, self.url, self.timeout)}",
            (here if self.have else "") + by_hand(self.url, self.target),
        )
