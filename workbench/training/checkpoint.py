"""Checkpoints: every variable by its path, and the place in the plan, in one file.

The format is numpy's `.npz` without pickles, readable anywhere. Nothing here needs keras (see
`variables` for what moves arrays in and out of a model).
"""

import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from workbench.files import atomic_file
from workbench.training.place import Place
from workbench.training.progression import Progression, Running

Arrays = dict[str, np.ndarray]
_STATE = "state.json"


class NotFinite(ArithmeticError):  # noqa: N818 - says what the weights are
    """A weight is no finite number; saving it would replace a good checkpoint."""


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds."""

    place: Place
    progression: Progression
    arrays: Arrays
    running: Running = field(default_factory=Running)


class CheckpointFolder:
    """The checkpoints of one run: `last`, `previous` and the best of each stage."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.last = folder / "last.npz"
        self.previous = folder / "previous.npz"

    def best_path(self, stage: int, epoch: int) -> Path:
        """Best weights are named by their place; only the state of `last` points to them."""
        return self.folder / f"best-stage{stage + 1}-epoch{epoch}.npz"

    def save_last(self, checkpoint: Checkpoint) -> None:
        """Writes `last`; the one before it stays as `previous`.

        Raises:
            NotFinite: a weight is; the older ones are untouched.
            OSError: it could not be written; the older ones are untouched.
        """
        self.folder.mkdir(exist_ok=True)
        if self.last.exists():
            self.last.replace(self.previous)
        try:
            write_checkpoint(self.last, checkpoint)
        except BaseException:
            if self.previous.exists() and not self.last.exists():
                self.previous.replace(self.last)
            raise

    def load_last(self) -> Checkpoint | None:
        """The newest checkpoint that can be read: `last`, else `previous`, else None."""
        for path in (self.last, self.previous):
            if path.exists():
                try:
                    return read_checkpoint(path)
                except (OSError, ValueError, KeyError, TypeError):
                    continue
        return None

    def save_best(self, checkpoint: Checkpoint) -> None:
        """Writes the weights of a stage's best epoch so far; older bests stay for the moment.

        Raises:
            NotFinite, OSError: as `save_last`.
        """
        self.folder.mkdir(exist_ok=True)
        place = checkpoint.place
        write_checkpoint(self.best_path(place.stage, place.epoch), checkpoint)

    def keep_only_best(self, stage: int, best: Path) -> None:
        """Removes bests of the stage that a better one has replaced."""
        for path in self.folder.glob(f"best-stage{stage + 1}-epoch*.npz"):
            if path != best:
                path.unlink()


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes atomically and reads back before the old file is replaced.

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
    }
    text = np.frombuffer(json.dumps(state).encode(), dtype=np.uint8)
    with atomic_file(path) as temporary:
        np.savez(temporary, allow_pickle=False, **{_STATE: text}, **checkpoint.arrays)
        written = read_checkpoint(temporary)
        if not all(np.array_equal(written.arrays[k], a) for k, a in checkpoint.arrays.items()):
            raise OSError(f"{path.name}: what was written reads back differently")


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint whole.

    Raises:
        OSError, ValueError, KeyError, TypeError: damaged or foreign.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
    except (EOFError, RuntimeError, zipfile.BadZipFile) as error:
        raise ValueError(str(error)) from None
    state = json.loads(arrays.pop(_STATE).tobytes())
    return Checkpoint(
        Place(**state["place"]),
        Progression(**state["progression"]),
        arrays,
        Running(**state["running"]),
    )
