"""Checkpoints: every variable by its path, and the place in the plan, in one file.

The format is numpy's `.npz` without pickles, readable anywhere. Nothing here needs keras (see
`variables` for what moves arrays in and out of a model).
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
from workbench.text import safe_text
from workbench.training.position import Place
from workbench.training.trainer_state import Progression, Running

Arrays = dict[str, np.ndarray]
_STATE = "state.json"
# What the readers of zip and npy raise over damaged bytes, beside what read_checkpoint names.
_DAMAGE = (
    EOFError,
    RuntimeError,
    AttributeError,
    OverflowError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


class NotFinite(ArithmeticError):  # noqa: N818 - says what the weights are
    """A weight is no finite number; saving it would replace a good checkpoint."""


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds.

    Attributes:
        spec: fingerprint of what the place means: other data or batches make it another place.
        settings: what of the spec may change from life to life, as it was (see
            `experiment.resuming`); {} in old files.
        trainable: paths of the variables that trained; () in old files.
    """

    place: Place
    progression: Progression
    arrays: Arrays
    running: Running = field(default_factory=Running)
    spec: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    trainable: tuple[str, ...] = ()

    def place_for(self, batch_size: int) -> Place:
        """The same place where steps take `batch_size` images, a divisor of what they took."""
        smaller = self.settings.get("batch_size", batch_size) // batch_size
        return replace(self.place, step=self.place.step * smaller)


class CheckpointFolder:
    """The checkpoints of one run: `last`, `previous` and the best of each stage."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.last = folder / "last.npz"
        self.previous = folder / "previous.npz"

    def best_path(self, stage: int, epoch: int) -> Path:
        """Best weights are named by their place; only the state of a checkpoint points to them."""
        return self.folder / f"best-stage{stage + 1}-epoch{epoch}.npz"

    def start_path(self, stage: int) -> Path:
        """The weights that a stage began with: what has moved is told against them."""
        return self.folder / f"start-stage{stage + 1}.npz"

    def save_start(self, checkpoint: Checkpoint) -> None:
        """Writes the weights that a stage begins with; raises as `save_last`."""
        self.folder.mkdir(exist_ok=True)
        _write(self.start_path(checkpoint.place.stage), checkpoint)

    def load_start(self, stage: int) -> Arrays:
        """The weights that a stage began with.

        Raises:
            UserError: they are missing or damaged.
        """
        try:
            return read_checkpoint(self.start_path(stage)).arrays
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"The weights that the stage began with cannot be read: "
                f"{safe_text(self.start_path(stage))}: {safe_text(error)}. Without them nobody "
                "could tell what has moved.",
                "Bring the file back, or start a new run.",
            ) from None

    def save_last(self, checkpoint: Checkpoint) -> None:
        """Writes `last`; the one before it stays as `previous`, and so do the bests of both.

        Raises:
            NotFinite: a weight is; the older ones are untouched.
            OSError: it could not be written; the older ones are untouched.
        """
        self.folder.mkdir(exist_ok=True)
        _write(self.last, checkpoint, keep_old_as=self.previous)
        stage = checkpoint.place.stage
        needed = {self.best_path(stage, checkpoint.progression.best_epoch)}
        if self.previous.exists():
            before = read_state(self.previous)
            needed.add(self.best_path(stage, before.progression.best_epoch))
        for path in self.folder.glob(f"best-stage{stage + 1}-epoch*.npz"):
            if path not in needed:
                path.unlink()

    def load_last(self) -> tuple[Checkpoint | None, str]:
        """The newest checkpoint that can be read: `last`, else `previous`.

        A damaged `last` is removed where `previous` is whole, for the next save would put it in
        the place of that one. So only the holder of the run's lock may call this.

        Returns:
            The checkpoint, None where none was saved yet; and a sentence where one was passed
            over, else "".

        Raises:
            UserError: there are checkpoints, but none that can be read.
            OSError: the disk failed; nothing is said of the files then.
        """
        reason = ""
        for path in (self.last, self.previous):
            if not path.exists():
                continue
            try:
                found = read_checkpoint(path)
                if path == self.previous:  # a damaged last must not take its place
                    self.last.unlink(missing_ok=True)
                return found, reason
            except (ValueError, KeyError, TypeError) as error:
                reason = f"{path.name} is damaged ({safe_text(error)}); the one before it is used."
        if reason:
            raise UserError(
                f"No checkpoint in {safe_text(self.folder)} can be read.",
                "Move that folder away to start the run anew; the events and the spec stay.",
            )
        return None, ""

    def save_best(self, checkpoint: Checkpoint) -> None:
        """Writes the weights of a stage's best epoch so far; older bests stay for the moment.

        Raises:
            NotFinite, OSError: as `save_last`.
        """
        self.folder.mkdir(exist_ok=True)
        place = checkpoint.place
        _write(self.best_path(place.stage, place.epoch), checkpoint)

    def load_best(self, stage: int, epoch: int) -> Checkpoint:
        """The weights of a stage's best epoch.

        Raises:
            UserError: they are missing or damaged.
        """
        path = self.best_path(stage, epoch)
        try:
            return read_checkpoint(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"The weights of the best epoch cannot be read: {safe_text(path)}: "
                f"{safe_text(error)}.",
                'To finish with the last epoch\'s weights, set keep = "last" in the [training] '
                "table of the run's spec.toml and resume.",
            ) from None


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint whole.

    Raises:
        OSError: it cannot be read.
        ValueError, KeyError, TypeError: damaged or foreign.
    """
    return _read(path, with_arrays=True)


def read_state(path: Path) -> Checkpoint:
    """A checkpoint without its arrays; raises as `read_checkpoint`."""
    return _read(path, with_arrays=False)


def _read(path: Path, with_arrays: bool) -> Checkpoint:
    try:
        if with_arrays:
            _check_sums(path)
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
        Place(**state["place"]),
        Progression(**state["progression"]),
        arrays,
        Running(**state["running"]),
        state["spec"],
        state.get("settings", {}),
        tuple(state.get("trainable", ())),
    )


def _check_sums(path: Path) -> None:
    """Raises ValueError where a sum is wrong, before a damaged header asks for all the memory."""
    with zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise ValueError(f"{safe_text(damaged)} in it is damaged")


def _write(path: Path, checkpoint: Checkpoint, keep_old_as: Path | None = None) -> None:
    """Writes beside, reads back, and only then takes the place of the old file.

    Raises:
        NotFinite: a weight is.
        OSError: disk full or not writable, or the file read back differs.
    """
    broken = [
        key
        for key, array in checkpoint.arrays.items()
        if key.startswith("model/") and not np.isfinite(array).all()
    ]
    if broken:
        raise NotFinite(f"{broken[0]} holds numbers that are not finite")
    state = {
        "place": asdict(checkpoint.place),
        "progression": asdict(checkpoint.progression),
        "running": asdict(checkpoint.running),
        "spec": checkpoint.spec,
        "settings": checkpoint.settings,
        "trainable": checkpoint.trainable,
    }
    text = np.frombuffer(json.dumps(state).encode(), dtype=np.uint8)
    with atomic_file(path) as temporary:
        np.savez(temporary, allow_pickle=False, **{_STATE: text}, **checkpoint.arrays)
        _compare(temporary, checkpoint.arrays)
        if keep_old_as and path.exists():
            path.replace(keep_old_as)


def _compare(path: Path, arrays: Arrays) -> None:
    """Raises OSError where a file does not hold the arrays; one at a time is in memory."""
    with np.load(path, allow_pickle=False) as stored:
        if not all(np.array_equal(stored[name], array) for name, array in arrays.items()):
            raise OSError(errno.EIO, "what was written reads back differently", str(path))
