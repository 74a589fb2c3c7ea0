"""Checkpoints are complete or absent; damage is always reported as damage."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import UserError
from workbench.runs.fields import Position
from workbench.training import checkpoint as module
from workbench.training.checkpoint import (
    Checkpoint,
    CheckpointFolder,
    NotFinite,
    read_checkpoint,
)
from workbench.training.trainer_state import TrainerState


def make(epoch: int, value: float = 1.0) -> Checkpoint:
    arrays = {"model/dense/kernel": np.full((3, 2), value, np.float32)}
    return Checkpoint(Position(0, epoch, 0), TrainerState(best_value=0.5, best_epoch=epoch), arrays)


def test_round_trip(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save_last(make(3, value=np.pi))
    found = read_checkpoint(folder.last)
    assert (found.position, found.state) == (Position(0, 3, 0), TrainerState(0.5, 3))
    assert np.array_equal(found.arrays["model/dense/kernel"], np.full((3, 2), np.pi, np.float32))
    assert [path.name for path in tmp_path.iterdir()] == ["last.npz"]


def test_the_previous_checkpoint_is_kept(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints")
    assert folder.load_last() == (None, "")
    for epoch in (1, 2, 3):
        folder.save_last(make(epoch))
    assert read_checkpoint(folder.last).position.epoch == 3
    assert read_checkpoint(folder.previous).position.epoch == 2


@pytest.mark.parametrize("damage", [b"", b"no zip", None])
def test_a_damaged_last_falls_back_to_previous(tmp_path: Path, damage: bytes | None) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save_last(make(1))
    folder.save_last(make(2))
    content = folder.last.read_bytes()
    folder.last.write_bytes(content[: len(content) // 2] if damage is None else damage)
    found, skipped = folder.load_last()
    assert found is not None
    assert found.position.epoch == 1
    assert skipped.startswith("last.npz is damaged")
    folder.save_last(make(2))  # the damaged one does not replace an intact one
    assert read_checkpoint(folder.previous).position.epoch == 1
    assert read_checkpoint(folder.last).position.epoch == 2


def test_two_damaged_checkpoints_do_not_restart_the_run(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save_last(make(1))
    folder.save_last(make(2))
    folder.last.write_bytes(b"")
    folder.previous.write_bytes(b"")
    with pytest.raises(UserError, match=r"No checkpoint in .* can be read"):
        folder.load_last()


def test_a_failing_disk_is_not_a_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save_last(make(1))

    def stale(*args: object, **kwargs: object) -> None:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(module.np, "load", stale)
    with pytest.raises(OSError, match="Stale"):
        folder.load_last()


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save_last(make(1))
    with pytest.raises(NotFinite, match="model/dense/kernel holds numbers that are not finite"):
        folder.save_last(make(2, value=float("nan")))
    assert read_checkpoint(folder.last).position.epoch == 1


def test_a_failed_save_keeps_the_old_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save_last(make(1))
    folder.save_last(make(2))

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        folder.save_last(make(3))
    assert read_checkpoint(folder.last).position.epoch == 2
    assert read_checkpoint(folder.previous).position.epoch == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.npz", "previous.npz"]


def test_the_best_weights_of_both_checkpoints_are_kept(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    for epoch in (1, 2, 3):
        folder.save_best(make(epoch))
        folder.save_last(make(epoch))
    assert sorted(path.name for path in tmp_path.glob("best-*")) == [
        "best-stage1-epoch2.npz",
        "best-stage1-epoch3.npz",
    ]
    assert folder.load_best(0, 3).position.epoch == 3


@pytest.mark.parametrize("damage", [None, b"no zip"])
def test_the_hint_for_lost_best_weights(tmp_path: Path, damage: bytes | None) -> None:
    folder = CheckpointFolder(tmp_path)
    if damage:
        folder.best_path(0, 1).write_bytes(damage)
    with pytest.raises(UserError, match="best epoch cannot be read") as caught:
        folder.load_best(0, 1)
    assert 'keep = "last"' in caught.value.hint


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = CheckpointFolder(tmp_path_factory.mktemp("intact"))
    arrays = {"model/dense/kernel": np.arange(6, dtype=np.float32)}
    folder.save_last(Checkpoint(Position(0, 2, 1), TrainerState(), arrays))
    return folder.last.read_bytes()


EDITS = st.lists(
    st.tuples(
        st.integers(0, 5000), st.sampled_from(["flip", "cut", "insert"]), st.binary(max_size=9)
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=400, deadline=None)
@given(edits=EDITS)
def test_any_damage_is_reported_as_damage(
    tmp_path_factory: pytest.TempPathFactory, intact: bytes, edits: list[tuple[int, str, bytes]]
) -> None:
    content = intact
    for place, kind, data in edits:
        at = place % max(len(content), 1)
        if kind == "flip":
            content = content[:at] + data + content[at + len(data) :]
        elif kind == "cut":
            content = content[:at]
        else:
            content = content[:at] + data + content[at:]
    path = tmp_path_factory.mktemp("damaged") / "last.npz"
    path.write_bytes(content)
    try:
        found = read_checkpoint(path)
    except (ValueError, KeyError, TypeError):
        return
    assert found.position == Position(0, 2, 1)  # the damage is in bytes that are not read
    assert np.array_equal(found.arrays["model/dense/kernel"], np.arange(6, dtype=np.float32))
