"""A ladder: runs that are queued together, recorded in a file beside their folders."""

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from workbench.bases.weights import find_weights
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import dump_spec, read_spec
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.runs.folder import NAME_PATTERN, RunFolder, create_run, safe_stem
from workbench.runs.launch import launch, request_stop
from workbench.runs.lock import is_locked
from workbench.runs.state import RunSummary, summarize
from workbench.text import safe_text

FORMAT = 1
_SUFFIX = ".ladder.json"


@dataclass(frozen=True)
class LadderEntry:
    """A preset and the run that trains it."""

    preset: str
    run: str


@dataclass(frozen=True)
class Ladder:
    """A ladder and its runs, from the simplest strategy up."""

    name: str
    entries: tuple[LadderEntry, ...]


def prepare_ladder(
    workspace: Workspace,
    name: str | None,
    data: str,
    specs: Sequence[tuple[str, ExperimentSpec]],
    progress: Progress = silent,
) -> Ladder:
    """Download the weights that its bases need, then create a ladder; `start` queues its runs.

    Downloads run now, while a person can read the errors. `specs` are preset and checked spec of
    each run, from the simplest strategy up; for name and data see `create_ladder`.

    Raises:
        UserError: Weights are not available, the name is taken, or the disk cannot be written.
    """
    bases = [(s.base.name, s.data.image_size, s.base.weights) for _, s in specs if s.base]
    for base, size, weights in dict.fromkeys(bases):
        find_weights(base, size, weights, progress)
    texts = [(preset, dump_spec(spec)) for preset, spec in specs]
    try:
        return create_ladder(workspace, name, data, texts)
    except OSError as error:
        reason = safe_text(error.strerror or error)
        raise UserError(
            tr(
                "The ladder cannot be written in {runs}: {reason}.",
                runs=safe_text(workspace.runs),
                reason=reason,
            )
        ) from None


def create_ladder(
    workspace: Workspace, name: str | None, data: str, specs: Sequence[tuple[str, str]]
) -> Ladder:
    """Create the runs of a ladder and its record; start nothing.

    Args:
        workspace: where the ladder is created.
        name: None for the data's name, "ladder" and the next free number.
        data: base of the runs' names: "photos" for photos-dense-1, ...
        specs: preset and content of spec.toml of each run.

    Raises:
        UserError: The name is taken or invalid.
        OSError: The disk cannot be written; nothing of the ladder remains.
    """
    workspace.runs.mkdir(parents=True, exist_ok=True)
    path = _reserve(workspace, name, data)
    created: list[RunFolder] = []
    try:
        for preset, spec_text in specs:
            created.append(create_run(workspace, spec_text, None, f"{data}-{preset}"))
        presets = [preset for preset, _ in specs]
        entries = tuple(LadderEntry(p, run.name) for p, run in zip(presets, created, strict=True))
        record = {"format": FORMAT, "rungs": [asdict(entry) for entry in entries]}
        write_atomic(path, json.dumps(record, indent=1))
    except BaseException:
        for run in created:
            shutil.rmtree(run.path, ignore_errors=True)
        path.unlink(missing_ok=True)
        raise
    return Ladder(_name(path), entries)


def find_ladder(workspace: Workspace, name: str) -> Ladder:
    """Return the ladder of that name.

    Raises:
        UserError: There is none, or its record is damaged.
    """
    names = list_ladders(workspace)
    if name not in names:
        raise UserError(
            tr(
                "There is no ladder {name} in {runs}.",
                name=safe_text(repr(name)),
                runs=safe_text(workspace.runs),
            ),
            tr("There are: {names}", names=", ".join(names))
            if names
            else tr("Start one: workbench ladder --data DIR"),
        )
    path = _path(workspace, name)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        entries = tuple(LadderEntry(str(e["preset"]), str(e["run"])) for e in record["rungs"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            tr("{path} is damaged: {error}.", path=safe_text(path), error=safe_text(error)),
            tr("The runs themselves are untouched: workbench runs"),
        ) from None
    if any(not NAME_PATTERN.fullmatch(entry.run) for entry in entries):
        raise UserError(tr("{path} contains invalid names of runs.", path=safe_text(path)))
    return Ladder(name, entries)


def list_ladders(workspace: Workspace) -> list[str]:
    """Return the names of the workspace's ladders in alphabetical order."""
    if not workspace.runs.is_dir():
        return []
    found = [path for path in workspace.runs.iterdir() if path.name.endswith(_SUFFIX)]
    return sorted(_name(path) for path in found if NAME_PATTERN.fullmatch(_name(path)))


def run_folders(workspace: Workspace, ladder: Ladder) -> list[RunFolder]:
    """Return the folders of its runs that still exist."""
    found = [RunFolder(workspace.runs / entry.run) for entry in ladder.entries]
    return [folder for folder in found if folder.path.is_dir()]


def start(
    workspace: Workspace,
    ladder: Ladder,
    environment: dict[str, str] | None = None,
    specs: Mapping[str, ExperimentSpec] | None = None,
) -> list[str]:
    """Queue every run that is neither finished nor running; return their names.

    Runs that may still be running on another machine are left out: see `runs_on_other_hosts`.

    Args:
        workspace: of the ladder.
        ladder: whose runs are queued.
        environment: variables in addition to those of this process.
        specs: by the run's name, of those that continue with another one.
    """
    changed = {run: dump_spec(spec) for run, spec in (specs or {}).items()}
    started = []
    for folder in pending_runs(workspace, ladder):
        resume = folder.events_path.exists()
        spec = changed.get(folder.name)
        launch(folder, resume=resume, queue=True, environment=environment, spec=spec)
        started.append(folder.name)
    return started


def pending_runs(workspace: Workspace, ladder: Ladder) -> list[RunFolder]:
    """Return the runs that `start` would queue."""
    states = [(folder, summarize(folder).state) for folder in run_folders(workspace, ladder)]
    return [folder for folder, state in states if state.resumable and not state.other_host]


def pending_specs(workspace: Workspace, ladder: Ladder) -> dict[str, ExperimentSpec]:
    """Return the specs of the runs that `start` would queue, by name, without damaged ones."""
    found = {}
    for folder in pending_runs(workspace, ladder):
        with suppress(UserError):  # reported by the worker of this run; the others continue
            found[folder.name] = read_spec(folder.spec_path)
    return found


def runs_on_other_hosts(workspace: Workspace, ladder: Ladder) -> list[RunSummary]:
    """Return the runs on another machine without a final event."""
    summaries = [summarize(folder) for folder in run_folders(workspace, ladder)]
    return [summary for summary in summaries if summary.state.other_host]


def stop_ladder(workspace: Workspace, ladder: Ladder) -> list[RunFolder]:
    """Request every run with a worker to stop; return their folders.

    In reverse order, so that no run begins because an earlier one has ended.
    """
    running = [folder for folder in run_folders(workspace, ladder) if is_locked(folder.lock_path)]
    for folder in reversed(running):
        request_stop(folder)
    return running


def _reserve(workspace: Workspace, name: str | None, data: str) -> Path:
    """Create an empty record; another process may take a number first."""
    if name is not None:
        if not NAME_PATTERN.fullmatch(name):
            raise UserError(
                tr(
                    "{name} cannot be a ladder's name; allowed: up to 64 letters, "
                    "digits, dots, dashes and underscores, beginning with a letter or "
                    "digit.",
                    name=safe_text(repr(name)),
                )
            )
        if not _create(_path(workspace, name)):
            raise UserError(
                tr("There is a ladder {name} already.", name=name),
                tr("Its table: workbench ladder {name}", name=name),
            )
        return _path(workspace, name)
    stem = safe_stem(f"{data}-ladder")
    number = 1
    while not _create(_path(workspace, f"{stem}-{number}")):
        number += 1
    return _path(workspace, f"{stem}-{number}")


def _create(path: Path) -> bool:
    """Create the file; return False if it exists."""
    try:
        path.open("x").close()
    except FileExistsError:
        return False
    return True


def _path(workspace: Workspace, name: str) -> Path:
    return workspace.runs / f"{name}{_SUFFIX}"


def _name(path: Path) -> str:
    return path.name.removesuffix(_SUFFIX)
