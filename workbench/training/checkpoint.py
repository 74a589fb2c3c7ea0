"""Checkpoints: every variable by its path, and the position in the plan, in one file.

The format is numpy's `.npz` without pickles, readable anywhere. Nothing here needs keras;
`stage_checkpoints` moves arrays into and out of a model.
"""

import errno
import json
import tokenize
import zipfile
import zlib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import UserError
from workbench.files import atomic_file
from workbench.messages import tr
from workbench.runs.fields import Position
from workbench.text import safe_text
from workbench.training.step_losses import StepLosses
from workbench.training.trainer_state import RunningMetrics, TrainerState

Arrays = dict[str, np.ndarray]
_STATE = "state.json"
# What the readers of zip and npy raise on damaged bytes, besides what read_checkpoint names.
_DAMAGE = (
    EOFError,
    RuntimeError,
    AttributeError,
    OverflowError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


class NotFinite(ArithmeticError):  # noqa: N818 - a property of the weights
    """A weight is not finite; saving it would replace a good checkpoint."""


@dataclass(frozen=True)
class Checkpoint:
    """The content of a file.

    Attributes:
        metrics: of the epoch so far.
        spec: fingerprint of what gives the position its meaning, such as data and batches.
        settings: the part of the spec that may change between sessions (see
            `experiment.resuming`), as it was; {} in old files.
        trainable: paths of the variables that trained; () in old files.
        step_losses: of the epoch so far; None in old files.
    """

    position: Position
    state: TrainerState
    arrays: Arrays
    metrics: RunningMetrics = field(default_factory=RunningMetrics)
    spec: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    trainable: tuple[str, ...] = ()
    step_losses: StepLosses | None = None

    def position_for(self, batch_size: int) -> Position:
        """Return the position for steps of `batch_size` images, a divisor of the old batch size."""
        factor = self.settings.get("batch_size", batch_size) // batch_size
        return replace(self.position, step=self.position.step * factor)


class CheckpointFolder:
    """The checkpoints of one run: `last`, `previous`, and the start and best of each stage."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.last = folder / "last.npz"
        self.previous = folder / "previous.npz"

    def best_path(self, stage: int, epoch: int) -> Path:
        """Return the file of best weights, named by stage and epoch.

        Only the state of a checkpoint points to it.
        """
        return self.folder / f"best-stage{stage + 1}-epoch{epoch}.npz"

    def start_path(self, stage: int) -> Path:
        """Return the file of the weights that a stage started with, for the freeze check."""
        return self.folder / f"start-stage{stage + 1}.npz"

    @property
    def has_begun(self) -> bool:
        """Whether a stage saved its start, without which no step is ever trained."""
        return any(self.folder.glob("start-stage*.npz"))

    def save_start(self, checkpoint: Checkpoint) -> None:
        """Write the weights that a stage starts with; raises as `save_last`."""
        self.folder.mkdir(exist_ok=True)
        _write(self.start_path(checkpoint.position.stage), checkpoint)

    def load_start(self, stage: int) -> Arrays:
        """Return the weights that a stage started with.

        Raises:
            UserError: they are missing or damaged.
        """
        try:
            return read_checkpoint(self.start_path(stage)).arrays
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                tr(
                    "The weights that the stage began with cannot be read: "
                    "{start_path}: {error}. The freeze check needs them.",
                    start_path=safe_text(self.start_path(stage)),
                    error=safe_text(error),
                ),
                tr("Restore the file, or start a new run."),
            ) from None

    def save_last(self, checkpoint: Checkpoint) -> None:
        """Write `last`; keep the one before it as `previous`, and the best weights of both.

        Raises:
            NotFinite: a weight is not finite; the older files are untouched.
            OSError: it could not be written; the older files are untouched.
        """
        self.folder.mkdir(exist_ok=True)
        _write(self.last, checkpoint, keep_old_as=self.previous)
        stage = checkpoint.position.stage
        needed = {self.best_path(stage, checkpoint.state.best_epoch)}
        if self.previous.exists():
            needed.add(self.best_path(stage, read_state(self.previous).state.best_epoch))
        for path in self.folder.glob(f"best-stage{stage + 1}-epoch*.npz"):
            if path not in needed:
                path.unlink()

    def load_last(self) -> tuple[Checkpoint | None, str]:
        """Return the newest readable checkpoint: `last`, else `previous`.

        A damaged `last` is removed if `previous` is intact, since the next save would replace
        `previous` by it. So only the holder of the run's lock may call this.

        Returns:
            The checkpoint, None if none was saved yet; and a sentence if one was skipped, else "".

        Raises:
            UserError: there are checkpoints, but none is readable.
            OSError: the disk failed; the files may be intact.
        """
        reason = ""
        for path in (self.last, self.previous):
            if not path.exists():
                continue
            try:
                found = read_checkpoint(path)
                if path == self.previous:
                    self.last.unlink(missing_ok=True)
                return found, reason
            except (ValueError, KeyError, TypeError) as error:
                reason = tr(
                    "{path} is damaged ({error}); the one before it is used.",
                    path=path.name,
                    error=safe_text(error),
                )
        if reason:
            raise UserError(
                tr("No checkpoint in {folder} can be read.", folder=safe_text(self.folder)),
                tr("Move that folder away to restart the run; the events and the spec stay."),
            )
        return None, ""

    def save_best(self, checkpoint: Checkpoint) -> None:
        """Write the weights of a stage's best epoch so far; `save_last` removes older ones.

        Raises:
            NotFinite, OSError: as `save_last`.
        """
        self.folder.mkdir(exist_ok=True)
        position = checkpoint.position
        _write(self.best_path(position.stage, position.epoch), checkpoint)

    def load_best(self, stage: int, epoch: int) -> Checkpoint:
        """Return the weights of a stage's best epoch.

        Raises:
            UserError: they are missing or damaged.
        """
        path = self.best_path(stage, epoch)
        try:
            return read_checkpoint(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                tr(
                    "The weights of the best epoch cannot be read: {path}: {error}.",
                    path=safe_text(path),
                    error=safe_text(error),
                ),
                tr(
                    'To finish with the last epoch\'s weights, set keep = "last" in the '
                    "[training] table of the run's spec.toml and resume."
                ),
            ) from None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        OSError: it cannot be read.
        ValueError, KeyError, TypeError: it is damaged, or another kind of file.
    """
    return _read(path, with_arrays=True)


def read_state(path: Path) -> Checkpoint:
    """Read a checkpoint without its arrays; raises as `read_checkpoint`."""
    return _read(path, with_arrays=False)


def _read(path: Path, with_arrays: bool) -> Checkpoint:
    try:
        if with_arrays:
            _verify_checksums(path)
        with np.load(path, allow_pickle=False) as stored:
            names = [name for name in stored.files if name != _STATE]
            arrays = {name: stored[name] for name in names} if with_arrays else {}
            state = json.loads(stored[_STATE].tobytes())
    except _DAMAGE as error:
        raise ValueError(str(error)) from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # a directory that points before the file's beginning
            raise
        raise ValueError(str(error)) from None
    return Checkpoint(
        Position(**state["place"]),
        TrainerState(**state["progression"]),
        arrays,
        RunningMetrics(**state["running"]),
        state["spec"],
        state.get("settings", {}),
        tuple(state.get("trainable", ())),
        StepLosses.read(state.get("step_losses")),
    )


def _verify_checksums(path: Path) -> None:
    """Raise ValueError on a wrong checksum, before a damaged header can request huge memory."""
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise ValueError(f"{safe_text(damaged)} in it is damaged")


def _write(path: Path, checkpoint: Checkpoint, keep_old_as: Path | None = None) -> None:
    """Write a temporary file, read it back, and only then replace the old one.

    Raises:
        NotFinite: a weight is not finite.
        OSError: the disk is full or not writable, or the file reads back differently.
    """
    broken = [
        key
        for key, array in checkpoint.arrays.items()
        if key.startswith("model/") and not np.isfinite(array).all()
    ]
    if broken:
        raise NotFinite(tr("{broken} holds numbers that are not finite", broken=broken[0]))
    state = {
        "place": asdict(checkpoint.position),
        "progression": asdict(checkpoint.state),
        "running": asdict(checkpoint.metrics),
        "spec": checkpoint.spec,
        "settings": checkpoint.settings,
        "trainable": checkpoint.trainable,
        "step_losses": checkpoint.step_losses and checkpoint.step_losses.as_dict(),
    }
    text = np.frombuffer(json.dumps(state).encode(), dtype=np.uint8)
    with atomic_file(path) as temporary:
        np.savez(temporary, allow_pickle=False, **{_STATE: text}, **checkpoint.arrays)
        _compare(temporary, checkpoint.arrays)
        if keep_old_as and path.exists():
            path.replace(keep_old_as)


def _compare(path: Path, arrays: Arrays) -> None:
    """Raise OSError if a file does not hold the arrays; one at a time is in memory."""
    with np.load(path, allow_pickle=False) as stored:
        if not all(np.array_equal(stored[name], array) for name, array in arrays.items()):
            raise OSError(errno.EIO, "what was written reads back differently", str(path))
