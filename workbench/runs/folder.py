"""The folder of a run: the paths of its files, how a run is created and found."""

import contextlib
import difflib
import os
import re
import shutil
import stat
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from workbench.errors import UserError
from workbench.files import ENCODING, fsync_folder, write_atomic
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import safe_text

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LATEST = "latest"
MAX_STEM_LENGTH = 56  # leaves room for a number in the 64 characters of a name
MAX_SUGGESTIONS = 3


class _Path:
    """A path below the folder of a run, made once: every poll of a workspace needs several."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __set_name__(self, owner: object, attribute: str) -> None:
        self._attribute = attribute

    def __get__(self, run: "RunFolder", owner: object = None) -> Path:
        path = run.path / self._name
        run.__dict__[self._attribute] = path  # is found first from now on
        return path


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run; this class reads and creates nothing."""

    path: Path

    spec_path = _Path("spec.toml")  # the experiment, as a person could write it
    manifest_path = _Path("manifest.csv")  # frozen copy of the data set's: the split of each image
    events_path = _Path("events.jsonl")  # the event log, see `events`
    status_path = _Path("status.json")  # newest progress and gauges, see `event_log`
    lock_path = _Path("run.lock")  # locked by the live worker, see `lock`
    worker_path = _Path("worker.json")  # the newest worker: pid, host, boot id, start, versions
    log_path = _Path("worker.log")  # output of the workers
    job_path = _Path("job.json")  # its newest job of a scheduler, see `slurm`
    starts_path = _Path("starts.json")  # of that job without progress, see `slurm_starts`
    control = _Path("control")  # requests to the worker, see `launch`
    gpu_report_path = _Path("control/gpus.json")  # what the driver reported at the launch
    checkpoints = _Path("checkpoints")  # from which a resumed run continues
    reserve_path = _Path(".reserve")  # disk space for the worker's last events on a full disk
    model_path = _Path("model.keras")  # the finished model
    results_path = _Path("results.json")  # metrics of the evaluation
    predictions_path = _Path("predictions.csv")  # probabilities of every evaluated image
    folds_path = _Path("folds.csv")  # of every image, by classifiers fitted without it
    folds_report_path = _Path("folds.json")  # how these were made, and neighbours of suspects
    mirrors = _Path("mirrors")  # what trackers have been sent, see `trackers.mirroring`
    learning_curve_path = _Path("learning-curve.json")  # accuracy over training images

    @property
    def name(self) -> str:
        """Name of the folder and of the run."""
        return self.path.name

    def confusion_path(self, split: str) -> Path:
        """Return the path of the confusion matrix of many labels on a split."""
        return self.path / f"confusion-{split}.csv"


def create_run(workspace: Workspace, spec_text: str, name: str | None, stem: str) -> RunFolder:
    """Create a run's folder with its spec.

    Args:
        workspace: where the run is created.
        spec_text: content of spec.toml.
        name: name of the run; None for `stem` and the next free number.
        stem: any text; characters that a name cannot contain become dashes.

    Raises:
        UserError: The name is taken or invalid.
        OSError: The folder cannot be written; nothing of it remains.
    """
    workspace.runs.mkdir(parents=True, exist_ok=True)
    path = _numbered(workspace, stem) if name is None else _named(workspace, name)
    folder = RunFolder(path)
    try:
        write_atomic(folder.spec_path, spec_text)
        fsync_folder(workspace.runs)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return folder


def find_run(workspace: Workspace, name: str) -> RunFolder:
    """Return the run of that name, or the newest for "latest".

    Only names from `list_runs` are found, so none leads out of saved_models.

    Raises:
        UserError: There is no such run; the message suggests similar names.
    """
    runs = list_runs(workspace)
    if not runs:
        where = safe_text(workspace.runs)
        raise UserError(
            tr("There are no runs in {where}.", where=where), tr("Start one: workbench demo")
        )
    if name == LATEST:
        return runs[0]
    by_name = {run.name: run for run in runs}
    if name in by_name:
        return by_name[name]
    raise UserError(
        tr(
            "There is no run {name} in {runs}.",
            name=safe_text(repr(name)),
            runs=safe_text(workspace.runs),
        ),
        suggest_names(name, by_name) or tr("See: workbench runs"),
    )


def suggest_names(name: str, names: Iterable[str]) -> str:
    """Return "Did you mean ...?" with similar names, "" without any."""
    close = difflib.get_close_matches(name, set(names), MAX_SUGGESTIONS, cutoff=0.5)
    return tr("Did you mean {map}?", map=", ".join(map(safe_text, close))) if close else ""


def check_name(name: str) -> None:
    """Check whether a new run can have a name.

    Raises:
        UserError: It cannot.
    """
    if not NAME_PATTERN.fullmatch(name) or name == LATEST:
        raise UserError(
            tr(
                "{name} cannot be a run's name; allowed: up to 64 letters, digits, "
                "dots, dashes and underscores, beginning with a letter or digit, "
                "and not {latest!r}.",
                name=safe_text(repr(name)),
                latest=LATEST,
            )
        )


def list_runs(
    workspace: Workspace, known: Mapping[str, RunFolder] = MappingProxyType({})
) -> list[RunFolder]:
    """Return the runs, newest first by creation time; other folders are ignored.

    Args:
        workspace: may have none yet.
        known: runs by name from an earlier call, used again where they still exist.
    """
    try:
        names = os.listdir(workspace.runs)  # noqa: PTH208 - names alone, to look them up
    except (FileNotFoundError, NotADirectoryError):
        return []
    runs = [
        known.get(name) or RunFolder(workspace.runs / name)
        for name in names
        if not name.startswith(".")
    ]
    created = [(time, run) for run in runs if (time := _creation_time(run)) is not None]
    return [run for _, run in sorted(created, key=_sort_key, reverse=True)]


def read_tables(folder: RunFolder) -> dict[str, Any]:
    """Read the spec's tables unchecked, so that specs of other versions can be shown."""
    try:
        return tomllib.loads(folder.spec_path.read_text(encoding=ENCODING))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def safe_stem(stem: str) -> str:
    """Turn any text into the beginning of a name; invalid characters become dashes."""
    return _valid_part(stem) or "run"


def can_name(stem: str) -> bool:
    """Return whether a name can keep anything of a text: of 꽃 it cannot."""
    return bool(_valid_part(stem))


def _valid_part(stem: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem)[:MAX_STEM_LENGTH].strip("-._")


def _creation_time(folder: RunFolder) -> int | None:
    """Return when the run was created, in nanoseconds; None if it is not a run any more."""
    for path in (folder.spec_path, folder.events_path):
        with contextlib.suppress(OSError):
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                return status.st_mtime_ns
    return None


def _sort_key(created: tuple[int, RunFolder]) -> tuple[int, list[tuple[int, str]]]:
    """Sort by time; of two created in the same tick, the one with the higher number is newer."""
    time, folder = created
    parts = re.findall(r"\d+|\D+", folder.name)
    return time, [(int(p) if p.isdecimal() else -1, p) for p in parts]


def _named(workspace: Workspace, name: str) -> Path:
    check_name(name)
    path = workspace.runs / name
    try:
        path.mkdir()
    except FileExistsError:
        raise UserError(
            tr("The name {name} is taken: {path} exists.", name=name, path=safe_text(path)),
            tr("Choose another, or leave it out for the next free number."),
        ) from None
    return path


def _numbered(workspace: Workspace, stem: str) -> Path:
    """Create `stem-N`, N above all that exist; another process may take a number first."""
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
