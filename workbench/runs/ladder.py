"""A ladder: runs that were queued together, remembered in a file beside their folders."""

import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from workbench.bases.weights import find_weights
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import dump_spec, read_spec
from workbench.files import write_atomic
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.runs.folder import NAME_PATTERN, RunFolder, create_run, safe_stem
from workbench.runs.launch import launch, request_stop
from workbench.runs.lock import is_locked
from workbench.runs.state import RunSummary, summarise
from workbench.text import safe_text

FORMAT = 1
_ENDING = ".ladder.json"


@dataclass(frozen=True)
class Rung:
    """A preset and the run that trains it."""

    preset: str
    run: str


@dataclass(frozen=True)
class Ladder:
    """A ladder and its rungs from the lowest up."""

    name: str
    rungs: tuple[Rung, ...]


def prepare_ladder(
    workspace: Workspace,
    name: str | None,
    data: str,
    specs: Sequence[tuple[str, ExperimentSpec]],
    progress: Progress = silent,
) -> Ladder:
    """Brings the weights that its bases need, then makes a ladder; `start` queues its runs.

    What has to be downloaded comes now, while someone is there to read what went wrong.

    Args:
        name, data: as `create_ladder`.
        specs: preset and checked spec of each rung, from the lowest up.
        progress: told of downloads.

    Raises:
        UserError: weights cannot be had, the name is taken, or the disk cannot be written.
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
            f"The ladder cannot be written in {safe_text(workspace.runs)}: {reason}."
        ) from None


def create_ladder(
    workspace: Workspace, name: str | None, data: str, specs: Sequence[tuple[str, str]]
) -> Ladder:
    """Makes the runs of a ladder and its record; starts nothing.

    Args:
        name: None for the data's name, "ladder" and the next free number.
        data: what runs are called after: "photos" makes photos-dense-1, ...
        specs: preset and content of spec.toml of each rung.

    Raises:
        UserError: the name is taken, or none that a ladder can have.
        OSError: the disk cannot be written; nothing is left of the ladder then.
    """
    workspace.runs.mkdir(parents=True, exist_ok=True)
    path = _reserve(workspace, name, data)
    made: list[RunFolder] = []
    try:
        for preset, spec_text in specs:
            made.append(create_run(workspace, spec_text, None, f"{data}-{preset}"))
        presets = [preset for preset, _ in specs]
        rungs = tuple(Rung(p, run.name) for p, run in zip(presets, made, strict=True))
        told = {"format": FORMAT, "rungs": [asdict(rung) for rung in rungs]}
        write_atomic(path, json.dumps(told, indent=1))
    except BaseException:
        for run in made:
            shutil.rmtree(run.path, ignore_errors=True)
        path.unlink(missing_ok=True)
        raise
    return Ladder(_name(path), rungs)


def find_ladder(workspace: Workspace, name: str) -> Ladder:
    """The ladder of that name.

    Raises:
        UserError: there is none, or its record is damaged.
    """
    names = list_ladders(workspace)
    if name not in names:
        raise UserError(
            f"There is no ladder {safe_text(repr(name))} in {safe_text(workspace.runs)}.",
            f"There are: {', '.join(names)}" if names else "Start one: workbench ladder --data DIR",
        )
    path = _path(workspace, name)
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        rungs = tuple(Rung(str(rung["preset"]), str(rung["run"])) for rung in told["rungs"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{safe_text(path)} is damaged: {safe_text(error)}.",
            "The runs themselves are untouched: workbench runs",
        ) from None
    if any(not NAME_PATTERN.fullmatch(rung.run) for rung in rungs):
        raise UserError(f"{safe_text(path)} names runs that cannot be.")
    return Ladder(name, rungs)


def list_ladders(workspace: Workspace) -> list[str]:
    """Names of the workspace's ladders, in the order of the alphabet."""
    if not workspace.runs.is_dir():
        return []
    found = [path for path in workspace.runs.iterdir() if path.name.endswith(_ENDING)]
    return sorted(_name(path) for path in found if NAME_PATTERN.fullmatch(_name(path)))


def folders(workspace: Workspace, ladder: Ladder) -> list[RunFolder]:
    """The folders of the rungs that are still there."""
    found = [RunFolder(workspace.runs / rung.run) for rung in ladder.rungs]
    return [folder for folder in found if folder.path.is_dir()]


def start(
    workspace: Workspace, ladder: Ladder, environment: dict[str, str] | None = None
) -> list[str]:
    """Queues every rung that is neither finished nor at work; returns the names of their runs.

    Left out too are rungs of which nobody can tell here whether they are still at work on
    another machine: `left_elsewhere` names them.

    Args:
        environment: variables set for the workers beyond this process's own.
    """
    started = []
    for folder in left_to_do(workspace, ladder):
        resume = folder.events_path.exists()
        launch(folder, resume=resume, queue=True, environment=environment)
        started.append(folder.name)
    return started


def left_to_do(workspace: Workspace, ladder: Ladder) -> list[RunFolder]:
    """The rungs that `start` would queue."""
    states = [(folder, summarise(folder).state) for folder in folders(workspace, ladder)]
    return [folder for folder, state in states if state.resumable and not state.elsewhere]


def specs_left_to_do(workspace: Workspace, ladder: Ladder) -> list[tuple[str, ExperimentSpec]]:
    """Preset and spec of the rungs that `start` would queue, but for specs that are damaged."""
    presets = {rung.run: rung.preset for rung in ladder.rungs}
    found = []
    for folder in left_to_do(workspace, ladder):
        with suppress(UserError):  # which this rung's own worker tells; the others go on
            found.append((presets[folder.name], read_spec(folder.spec_path)))
    return found


def left_elsewhere(workspace: Workspace, ladder: Ladder) -> list[RunSummary]:
    """The rungs that were last at work on another machine and did not tell their end."""
    told = [summarise(folder) for folder in folders(workspace, ladder)]
    return [summary for summary in told if summary.state.elsewhere]


def ask_to_stop(workspace: Workspace, ladder: Ladder) -> list[RunFolder]:
    """Asks every rung with a worker to stop; returns their folders.

    From the last rung down, so that none begins because an earlier one has ended.
    """
    live = [folder for folder in folders(workspace, ladder) if is_locked(folder.lock_path)]
    for folder in reversed(live):
        request_stop(folder)
    return live


def _reserve(workspace: Workspace, name: str | None, data: str) -> Path:
    """Makes an empty record; another process may take a number first."""
    if name is not None:
        if not NAME_PATTERN.fullmatch(name):
            raise UserError(
                f"{safe_text(repr(name))} cannot be a ladder's name; allowed: up to 64 letters, "
                "digits, dots, dashes and underscores, beginning with a letter or digit."
            )
        if not _made(_path(workspace, name)):
            raise UserError(
                f"There is a ladder {name} already.", f"Its table: workbench ladder {name}"
            )
        return _path(workspace, name)
    stem = safe_stem(f"{data}-ladder")
    number = 1
    while not _made(_path(workspace, f"{stem}-{number}")):
        number += 1
    return _path(workspace, f"{stem}-{number}")


def _made(path: Path) -> bool:
    """Makes the file; False where it exists."""
    try:
        path.open("x").close()
    except FileExistsError:
        return False
    return True


def _path(workspace: Workspace, name: str) -> Path:
    return workspace.runs / f"{name}{_ENDING}"


def _name(path: Path) -> str:
    return path.name.removesuffix(_ENDING)
