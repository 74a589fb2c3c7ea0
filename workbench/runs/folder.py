"""The folder of a run: where each of its files lies, and how a run is made and found again."""

import contextlib
import difflib
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import UserError
from workbench.files import sync_folder, write_atomic
from workbench.paths import Workspace
from workbench.text import safe_text

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LATEST = "latest"
LONGEST_STEM = 56  # leaves room for the number in the 64 characters of a name
CLOSE_MATCHES = 3


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run; nothing is read or made here."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's own name, which is the run's."""
        return self.path.name

    @property
    def spec_path(self) -> Path:
        """The experiment, as a person could have written it."""
        return self.path / "spec.toml"

    @property
    def manifest_path(self) -> Path:
        """Frozen copy of the data set's manifest: which image was in which split."""
        return self.path / "manifest.csv"

    @property
    def events_path(self) -> Path:
        """The event log (see `events`)."""
        return self.path / "events.jsonl"

    @property
    def lock_path(self) -> Path:
        """Held by the live worker (see `lock`)."""
        return self.path / "run.lock"

    @property
    def worker_path(self) -> Path:
        """Who works or worked here last: pid, host, boot id, start time, versions."""
        return self.path / "worker.json"

    @property
    def log_path(self) -> Path:
        """Everything the worker printed."""
        return self.path / "worker.log"

    @property
    def control(self) -> Path:
        """Requests to the worker (see `launch`)."""
        return self.path / "control"

    @property
    def checkpoints(self) -> Path:
        """What a resumed run goes on from."""
        return self.path / "checkpoints"

    @property
    def reserve_path(self) -> Path:
        """Room on the disk for the worker's last words, should it become full."""
        return self.path / ".reserve"

    @property
    def model_path(self) -> Path:
        """The finished model."""
        return self.path / "model.keras"

    @property
    def results_path(self) -> Path:
        """Figures of the evaluation."""
        return self.path / "results.json"

    def confusion_path(self, split: str) -> Path:
        """The confusion matrix of many labels, as measured on the images of a split."""
        return self.path / f"confusion-{split}.csv"

    @property
    def predictions_path(self) -> Path:
        """Every evaluated image's probabilities."""
        return self.path / "predictions.csv"


def create_run(workspace: Workspace, spec_text: str, name: str | None, stem: str) -> RunFolder:
    """Makes a run's folder with its spec.

    Args:
        spec_text: the content of spec.toml.
        name: the folder's name; None for `stem` and the next free number.
        stem: any text; what a name cannot hold becomes a dash.

    Raises:
        UserError: the name is taken, or none that a run can have.
        OSError: the folder cannot be written; nothing of it is left then.
    """
    workspace.runs.mkdir(parents=True, exist_ok=True)
    path = _numbered(workspace, stem) if name is None else _named(workspace, name)
    folder = RunFolder(path)
    try:
        write_atomic(folder.spec_path, spec_text)
        sync_folder(workspace.runs)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return folder


def find_run(workspace: Workspace, name: str) -> RunFolder:
    """The run of that name, or the newest for "latest".

    Only names that `list_runs` gives are found, so none leads out of saved_models.

    Raises:
        UserError: no such run; names that are close are told.
    """
    runs = list_runs(workspace)
    if not runs:
        where = safe_text(workspace.runs)
        raise UserError(f"There are no runs in {where}.", "Start one: workbench demo")
    if name == LATEST:
        return runs[0]
    by_name = {run.name: run for run in runs}
    if name in by_name:
        return by_name[name]
    close = difflib.get_close_matches(name, by_name, n=CLOSE_MATCHES, cutoff=0.5)
    names = ", ".join(safe_text(found) for found in close)
    raise UserError(
        f"There is no run {safe_text(repr(name))} in {safe_text(workspace.runs)}.",
        f"Did you mean {names}?" if names else "See: workbench runs",
    )


def check_name(name: str) -> None:
    """Looks whether a new run can have a name.

    Raises:
        UserError: it cannot.
    """
    if not NAME_PATTERN.fullmatch(name) or name == LATEST:
        raise UserError(
            f"{safe_text(repr(name))} cannot be a run's name; allowed: up to 64 letters, digits, "
            f"dots, dashes and underscores, beginning with a letter or digit, and not {LATEST!r}."
        )


def list_runs(workspace: Workspace) -> list[RunFolder]:
    """The runs, newest first by when they were made; folders that are no runs are left out."""
    if not workspace.runs.is_dir():
        return []
    runs = [RunFolder(path) for path in workspace.runs.iterdir() if not path.name.startswith(".")]
    made = [(when, run) for run in runs if (when := _made(run)) is not None]
    return [run for _, run in sorted(made, key=_age, reverse=True)]


def safe_stem(stem: str) -> str:
    """Any text as the beginning of a name: what a name cannot hold becomes a dash."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem)[:LONGEST_STEM].strip("-._") or "run"


def _made(folder: RunFolder) -> int | None:
    """When the run was made, in nanoseconds; None where the folder is no run, or just going."""
    for path in (folder.spec_path, folder.events_path):
        with contextlib.suppress(OSError):
            told = path.stat()
            if stat.S_ISREG(told.st_mode):
                return told.st_mtime_ns
    return None


def _age(made: tuple[int, RunFolder]) -> tuple[int, list[tuple[int, str]]]:
    """Sorts by time; of two made in the same tick, the higher number is the newer."""
    when, folder = made
    parts = re.findall(r"\d+|\D+", folder.name)
    return when, [(int(p) if p.isdecimal() else -1, p) for p in parts]


def _named(workspace: Workspace, name: str) -> Path:
    check_name(name)
    path = workspace.runs / name
    try:
        path.mkdir()
    except FileExistsError:
        raise UserError(
            f"The name {name} is taken: {safe_text(path)} exists.",
            "Choose another, or leave it out for the next free number.",
        ) from None
    return path


def _numbered(workspace: Workspace, stem: str) -> Path:
    """Makes `stem-N`, N above all that are there; another process may take a number first."""
    clean = safe_stem(stem)
    taken = re.compile(rf"{re.escape(clean)}-([0-9]{{1,7}})")
    matches = [taken.fullmatch(path.name) for path in workspace.runs.iterdir()]
    number = max((int(match[1]) for match in matches if match), default=0)
    while True:
        number += 1
        path = workspace.runs / f"{clean}-{number}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
