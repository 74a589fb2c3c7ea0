"""The runs of a workspace on another machine, as a copy of their small files in the cache.

A poll is one command over ssh: `report.sh` prints what changed since the last one. The copies are
read by the same code as runs of this machine, with the other machine's name, locks and clock, so
that a run has the state that it has there. What comes from there is data of a stranger: names are
checked, sizes bounded, and only regular files are made, in a folder of the cache.
"""

import hashlib
import os
import re
import secrets
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench.downloads.disk import locked
from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.hosts.ssh import HostError, run_script
from workbench.messages import tr
from workbench.paths import Workspace, cache_folder
from workbench.runs.folder import NAME_PATTERN, RunFolder, safe_stem
from workbench.runs.lock import Observer
from workbench.runs.watch import RunFeed, Runs, RunView
from workbench.settings import HostSettings
from workbench.text import safe_text
from workbench.words import reason_of

POLL_BYTES = 16 << 20  # of logs in one answer
LOG_BYTES = 64 << 20  # of one log; what comes after is not read
FILE_BYTES = 1 << 20  # of a spec or a status; larger ones are not read
CACHE_BYTES = 1 << 30  # of a machine's logs in the cache
MAX_ANSWERS = CACHE_BYTES // POLL_BYTES + 2  # in one poll, if logs are too long for one
MAX_RUNS = 5000  # of a machine
CLOCK_SECONDS = 2.0  # two clocks that differ by less are the same, as far as this can measure
_HEAD_BYTES = 64  # that identify a log, as in `event_log`
_SMALL = ("spec.toml", "status.json", "job.json")
_LOG = "events.jsonl"
_ANSWER = "answer.json"


class HostAnswer(BaseModel):
    """What is known of a machine, beside the copies of its files.

    Attributes:
        answered: when it answered last, in unix seconds of this clock.
        ahead: seconds that its clock is ahead of this one.
        host, boot_id: as of `lock.this_host`.
        locks: by run "held", "free", or "unknown".
        identities: what differs between versions of a file, by its path.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    answered: float
    ahead: float
    host: str = Field(max_length=255)
    boot_id: str = Field(max_length=64)
    locks: dict[str, str]
    identities: dict[str, str]


@dataclass(frozen=True)
class HostView:
    """A machine and its runs.

    Attributes:
        name: as in the settings, or the address.
        runs: running ones first, then the newest; times are of this clock.
        answered: when it answered last, in unix seconds of this clock; None for never.
        problem: why it did not answer now, in one line, safe to print; "" if it did.
    """

    name: str
    runs: Runs = ()
    answered: float | None = None
    problem: str = ""


class HostMirror:
    """The copy of a machine's runs; `poll` updates it.

    Attributes:
        view: of the newest answer, at first of the one in the cache.
    """

    def __init__(self, name: str, settings: HostSettings) -> None:
        self.name = name
        self.settings = settings
        place = f"{settings.address}\0{settings.workspace}".encode()
        stem = f"{safe_stem(settings.address)}-{hashlib.sha256(place).hexdigest()[:12]}"
        self._root = cache_folder() / "hosts" / stem
        self._workspace = Workspace(self._root)
        self._answer = self._read_answer()
        self._feed = RunFeed(self._workspace, here=self._observer())
        self.view = self._make_view("")

    def poll(self, cancelled: Callable[[], bool] = lambda: False) -> HostView:
        """Ask the machine what changed; return its runs, also if it does not answer."""
        problem = ""
        try:
            self._workspace.runs.mkdir(parents=True, exist_ok=True)
            with locked(self._root / "lock", tr("reading {name}", name=self.name)):
                self._answer = self._read_answer()
                for _ in range(MAX_ANSWERS):
                    if not self._update(cancelled):
                        break
        except HostError as error:
            problem = error.message
        except UserError as error:  # another process asks it: that answer is shown
            self._answer = self._read_answer()
            problem = "" if self._answer else error.message
        except OSError as error:
            problem = tr("the cache cannot be written: {why}", why=safe_text(reason_of(error)))
        self.view = self._make_view(problem)
        return self.view

    def _update(self, cancelled: Callable[[], bool]) -> bool:
        """Ask once; return True if there is more to read.

        Raises:
            HostError: The machine did not answer as it should.
        """
        token = secrets.token_hex(16)
        asked = time.time()
        answer = run_script(
            self.settings.address, self._script(token), 2 * POLL_BYTES + (64 << 20), cancelled
        )
        parts = list(_parts(answer, token))
        received = time.time()
        kinds = {kind for kind, _, _ in parts}
        if "host" not in kinds:
            raise HostError(
                tr("it printed something else: {said}", said=safe_text(_first_line(answer), 80))
            )
        folder = safe_text(self.settings.workspace, 100)
        if "missing" in kinds:
            raise HostError(tr("there is no folder {folder} on it", folder=folder))
        if "empty" in kinds:
            raise HostError(tr("its folder {folder} has no saved_models", folder=folder))
        if "end" not in kinds:
            raise HostError(tr("the connection ended before its answer was complete"))
        fits = self._apply(parts, (asked + received) / 2)
        return "more" in kinds or not fits

    def _script(self, token: str) -> str:
        """Return what is run there: what is known here, then `report.sh`."""
        identities = self._answer.identities if self._answer else {}
        sizes = {path: self._size(path) for path in identities}
        cached = sum(size for path, size in sizes.items() if path.endswith(_LOG))
        values = {
            "token": token,
            "workspace": from_home(self.settings.workspace),
            "budget": str(max(min(POLL_BYTES, CACHE_BYTES - cached), 0)),
            "log_limit": str(LOG_BYTES),
            "file_limit": str(FILE_BYTES),
        }
        known = [
            f"K ./{path} {identity} {sizes[path]}"
            for path, identity in identities.items()
            if sizes[path] >= 0
        ]
        return "\n".join(
            [f"{name}={shlex.quote(value)}" for name, value in values.items()]
            + [f"known() {{ cat <<'{token}'", *known, token, "}"]
            + [files("workbench.hosts").joinpath("report.sh").read_text("ascii")]
        )

    def _apply(self, parts: list[tuple[str, list[str], bytes]], moment: float) -> bool:
        """Bring the copies to the state of an answer that came at a moment of this clock.

        Return False if a log there is another one than its copy, which is to be read again.
        """
        locks: dict[str, str] = {}
        listed: dict[str, set[str]] = {}  # files by run
        heads: dict[str, bytes] = {}
        identities = dict(self._answer.identities) if self._answer else {}
        host, fits = ["", "", ""], True
        for kind, words, content in parts:
            if kind == "host":
                host = [*content.decode("utf-8", "replace").split("\n"), "", ""][:3]
            elif kind == "run" and len(words) in (2, 3) and NAME_PATTERN.fullmatch(words[0]):
                if len(locks) < MAX_RUNS:
                    locks[words[0]] = words[1]
                    listed[words[0]] = set(words[2].split(",")) if len(words) == 3 else set()
            elif kind == "head":
                heads[" ".join(words)] = content
        self._remove_gone(listed, identities)
        received = [(words, content) for kind, words, content in parts if kind == "file"]
        received.sort(key=lambda one: one[0][0].endswith(_LOG))  # first what explains the events
        for words, content in received:
            place = _FILE.fullmatch(" ".join(words))
            if place is None or place["run"] not in listed:
                continue
            path, start = place["path"], int(place["start"])
            if self._write(path, start, content, heads.get(f"./{path}")):
                identities[path] = place["identity"]
            else:
                fits = False
                identities.pop(path, None)
        ahead = float(host[0]) - moment if re.fullmatch("[0-9]{1,12}", host[0]) else 0.0
        before = self._answer.ahead if self._answer else 0.0
        if abs(ahead - before) <= CLOCK_SECONDS:  # the same as before, within what can be measured
            ahead = before
        self._answer = HostAnswer(
            answered=moment,
            ahead=ahead,
            host=host[1][:255],
            boot_id=host[2][:64],
            locks=locks,
            identities=identities,
        )
        write_atomic(self._root / _ANSWER, self._answer.model_dump_json(), synced=False)
        return fits

    def _remove_gone(self, listed: Mapping[str, set[str]], identities: dict[str, str]) -> None:
        """Make the folders of the runs that exist there; remove what is gone."""
        for path in self._workspace.runs.iterdir():
            if path.name not in listed:
                shutil.rmtree(path, ignore_errors=True)
        for run, names in listed.items():
            folder = RunFolder(self._workspace.runs / run)
            folder.path.mkdir(exist_ok=True)
            for name in (*_SMALL, _LOG):
                if name not in names:
                    (folder.path / name).unlink(missing_ok=True)
            if "checkpoints" in names:  # that there are some decides what a resume would do
                folder.checkpoints.mkdir(exist_ok=True)
                (folder.checkpoints / "there").touch()
            else:
                shutil.rmtree(folder.checkpoints, ignore_errors=True)
        for known in list(identities):
            if not (self._workspace.runs / known).exists():
                del identities[known]

    def _write(self, name: str, start: int, content: bytes, head: bytes | None) -> bool:
        """Write what came of a file from a byte on; return False if it does not fit to the copy."""
        path = self._workspace.runs / name
        if start == 0:
            write_atomic(path, content[: max(LOG_BYTES, FILE_BYTES)], synced=False)
            return True
        with suppress(OSError), path.open("r+b") as file:
            if file.read(_HEAD_BYTES) == head and file.seek(0, os.SEEK_END) == start:
                file.write(content)
                return True
        return False

    def _size(self, name: str) -> int:
        try:
            return (self._workspace.runs / name).stat().st_size
        except OSError:
            return -1

    def _read_answer(self) -> HostAnswer | None:
        """Return the answer in the cache; None without one, or for a damaged one."""
        try:
            answer = HostAnswer.model_validate_json((self._root / _ANSWER).read_bytes())
        except (OSError, ValidationError):
            return None
        valid = {p: i for p, i in answer.identities.items() if _KNOWN.fullmatch(f"{p} {i}")}
        return answer.model_copy(update={"identities": valid})

    def _observer(self) -> Observer:
        answer = self._answer
        if answer is None:
            return Observer("", "", lambda path: False, time.time)
        visible = "unknown" not in answer.locks.values()
        now = answer.answered + answer.ahead
        return Observer(
            answer.host if visible else "",
            answer.boot_id if visible else "",
            lambda path: answer.locks.get(path.parent.name) == "held",
            lambda: now,
        )

    def _make_view(self, problem: str) -> HostView:
        if self._answer is None:
            return HostView(self.name, problem=problem)
        self._feed.here = self._observer()
        self._feed.poll()
        while self._feed.more:
            self._feed.poll()
        runs = tuple(self._localized(view) for view in self._feed.views())
        return HostView(self.name, runs, self._answer.answered, problem)

    def _localized(self, view: RunView) -> RunView:
        """Return a run with its machine, and the times of its summary by this clock."""
        assert self._answer is not None
        times = {
            field: moment - self._answer.ahead
            for field in ("started", "last_sign")
            if (moment := getattr(view.summary, field)) is not None
        }
        summary = replace(view.summary, **times)
        return replace(view, summary=summary, host=self.name, seen=self._answer.answered)


_FILE = re.compile(
    rf"\./(?P<path>(?P<run>{NAME_PATTERN.pattern})/(?:spec\.toml|status\.json|events\.jsonl)) "
    r"(?P<start>[0-9]{1,12}) [0-9]{1,12} (?P<identity>[\w:.-]{1,80})"
)
_KNOWN = re.compile(rf"{NAME_PATTERN.pattern}/[a-z.]+ [\w:.-]{{1,80}}")


def _parts(answer: bytes, token: str) -> Iterator[tuple[str, list[str], bytes]]:
    """Yield kind, words and content of the parts of an answer; what was printed before is not one.

    The last one ends where the answer was cut off, unless it is "end".
    """
    for part in answer.split(f"\n{token} ".encode())[1:]:
        line, _, content = part.partition(b"\n")
        kind, *words = line.decode("utf-8", "replace").split(" ")
        yield kind, words, content


def from_home(workspace: str) -> str:
    """Return a folder as commands take it after a login, which starts in the home folder."""
    if workspace.startswith("/"):
        return workspace
    return "./" + re.sub("^~(/+|$)", "", workspace)


def _first_line(answer: bytes) -> str:
    return answer.strip().partition(b"\n")[0].decode("utf-8", "replace")
