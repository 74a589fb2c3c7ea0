"""Checkpoints are whole or not there."""

from pathlib import Path

import numpy as np
import pytest

from workbench.errors import UserError
from workbench.training import checkpoint as module
from workbench.training.checkpoint import (
    Checkpoint,
    CheckpointFolder,
    NotFinite,
    read_checkpoint,
)
from workbench.training.position import Place
from workbench.training.trainer_state import Progression


def make(epoch: int, value: float = 1.0) -> Checkpoint:
    arrays = {"model/dense/kernel": np.full((3, 2), value, np.float32)}
    return Checkpoint(Place(0, epoch, 0), Progression(best_value=0.5, best_epoch=epoch), arrays)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save_last(make(3, value=np.pi))
    found = read_checkpoint(folder.last)
    assert (found.place, found.progression) == (Place(0, 3, 0), Progression(0.5, 3))
    assert np.array_equal(found.arrays["model/dense/kernel"], np.full((3, 2), np.pi, np.float32))
    assert [path.name for path in tmp_path.iterdir()] == ["last.npz"]


def test_the_one_before_stays(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints")
    assert folder.load_last() == (None, "")
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
    found, passed_over = folder.load_last()
    assert found is not None
    assert found.place.epoch == 1
    assert passed_over.startswith("last.npz is damaged")
    folder.save_last(make(2))  # the damaged one takes no whole one's place
    assert read_checkpoint(folder.previous).place.epoch == 1
    assert read_checkpoint(folder.last).place.epoch == 2


def test_where_none_can_be_read_nothing_is_begun_anew(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save_last(make(1))
    folder.save_last(make(2))
    folder.last.write_bytes(b"")
    folder.previous.write_bytes(b"")
    with pytest.raises(UserError, match=r"No checkpoint in .* can be read"):
        folder.load_last()


def test_a_disk_that_fails_is_no_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save_last(make(1))

    def stale(*args: object, **kwargs: object) -> None:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(module.np, "load", stale)
    with pytest.raises(OSError, match="Stale"):
        folder.load_last()


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
    assert read_checkpoint(folder.previous).place.epoch == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.npz", "previous.npz"]


def test_the_bests_of_both_checkpoints_are_kept(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    for epoch in (1, 2, 3):
        folder.save_best(make(epoch))
        folder.save_last(make(epoch))
    assert sorted(path.name for path in tmp_path.glob("best-*")) == [
        "best-stage1-epoch2.npz",
        "best-stage1-epoch3.npz",
    ]
    assert folder.load_best(0, 3).place.epoch == 3


@pytest.mark.parametrize("damage", [None, b"no zip"])
def test_a_lost_best_says_how_to_finish_all_the_same(tmp_path: Path, damage: bytes | None) -> None:
    folder = CheckpointFolder(tmp_path)
    if damage:
        folder.best_path(0, 1).write_bytes(damage)
    with pytest.raises(UserError, match="best epoch cannot be read") as caught:
        folder.load_best(0, 1)
    assert 'keep = "last"' in caught.value.hint
