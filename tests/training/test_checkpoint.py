"""Checkpoints are whole or not there."""

from pathlib import Path

import numpy as np
import pytest

from workbench.training import checkpoint as module
from workbench.training.checkpoint import (
    Checkpoint,
    CheckpointFolder,
    NotFinite,
    read_checkpoint,
    write_checkpoint,
)
from workbench.training.place import Place
from workbench.training.progression import Progression


def make(epoch: int, value: float = 1.0) -> Checkpoint:
    arrays = {"model/dense/kernel": np.full((3, 2), value, np.float32)}
    return Checkpoint(Place(0, epoch, 0), Progression(best_value=0.5, best_epoch=epoch), arrays)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "last.npz", make(3, value=np.pi))
    found = read_checkpoint(tmp_path / "last.npz")
    assert (found.place, found.progression) == (Place(0, 3, 0), Progression(0.5, 3))
    assert np.array_equal(found.arrays["model/dense/kernel"], np.full((3, 2), np.pi, np.float32))
    assert [path.name for path in tmp_path.iterdir()] == ["last.npz"]


def test_the_one_before_stays(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints")
    assert folder.load_last() is None
    for epoch in (1, 2, 3):
        folder.save_last(make(epoch))
    assert read_checkpoint(folder.last).place.epoch == 3
    assert read_checkpoint(folder.previous).place.epoch == 2


@pytest.mark.parametrize("damage", [b"", b"no zip", None])
def test_a_damaged_last_falls_back_to_the_one_before(tmp_path: Path, damage: bytes | None) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save_last(make(1))
    folder.save_last(make(2))
    whole = folder.last.read_bytes()
    folder.last.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    found = folder.load_last()
    assert found is not None
    assert found.place.epoch == 1


def test_numbers_that_are_not_finite_are_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save_last(make(1))
    with pytest.raises(NotFinite, match="model/dense/kernel holds numbers that are not finite"):
        folder.save_last(make(2, value=float("nan")))
    assert read_checkpoint(folder.last).place.epoch == 1


def test_a_failed_save_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save_last(make(1))
    folder.save_last(make(2))

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        folder.save_last(make(3))
    assert read_checkpoint(folder.last).place.epoch == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.npz"]


def test_only_the_best_of_a_stage_is_kept(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    for stage, epoch in ((0, 1), (0, 2), (1, 1)):
        write_checkpoint(folder.best_path(stage, epoch), make(epoch))
    folder.keep_only_best(0, folder.best_path(0, 2))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best-stage1-epoch2.npz",
        "best-stage2-epoch1.npz",
    ]
