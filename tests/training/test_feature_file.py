"""The file of a prefix's outputs: whole or not there; a pass that was ended goes on exactly."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from workbench.errors import DiskFull
from workbench.experiment.sections import AugmentationSpec
from workbench.training import feature_file
from workbench.training.feature_file import FeatureFile
from workbench.training.features import CHUNK, FeatureStore
from workbench.training.inputs import Augmented

IMAGES = np.random.default_rng(0).integers(0, 256, (3 * CHUNK + 5, 4, 4, 1), dtype=np.uint8)
ROWS = np.arange(len(IMAGES))[::-1].copy()
VIEWS = Augmented(AugmentationSpec(rotation=90, brightness=0.5), 1, 0, np.ones(len(ROWS), int),
                  np.arange(len(ROWS), dtype=np.uint64))  # fmt: skip


class Killed(BaseException):
    """Stands for whatever ends a pass."""


@dataclass
class Mean:
    """A prefix that counts the images it is given, and may end before a chunk."""

    ends_before: int = 10**9
    seen: int = 0
    cut: str = "mean"
    shape: tuple[int, ...] = (4,)
    identity: str = ""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        if self.seen // CHUNK == self.ends_before:
            raise Killed
        self.seen += len(images)
        return images.mean((1, 3)).astype(np.float32)


@dataclass
class Kept:
    """A store and what it told."""

    folder: Path
    notes: list[str] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    def features(self, prefix: Mean, changes: Augmented | None = None) -> np.ndarray:
        return np.array(self.store.features(prefix, IMAGES, ROWS, changes))

    @property
    def store(self) -> FeatureStore:
        def progress(phase: str, done: int, total: int) -> None:
            self.steps.append(done)

        return FeatureStore(self.folder, {}, "float32", progress, self.notes.append)

    def names(self) -> list[str]:
        found = (p.name for p in self.folder.iterdir() if p.name.startswith("features"))
        return sorted(name.partition(".")[2] for name in found)


@pytest.mark.parametrize("changes", [None, VIEWS], ids=["plain", "augmented"])
@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_a_pass_that_was_ended_goes_on_bit_for_bit(
    tmp_path: Path, chunks: int, changes: Augmented | None
) -> None:
    (tmp_path / "whole").mkdir()
    expected = Kept(tmp_path / "whole").features(Mean(), changes)
    kept = Kept(tmp_path)
    with pytest.raises(Killed):
        kept.features(Mean(ends_before=chunks), changes)
    assert kept.names() == ["part.json", "part.npy"]
    assert kept.store.lacking(Mean(), ROWS, changes) == len(ROWS) - chunks * CHUNK
    again = Mean()
    assert np.array_equal(kept.features(again, changes), expected)
    assert again.seen == len(ROWS) - chunks * CHUNK
    assert kept.notes == [f"The prefix goes on at image {chunks * CHUNK + 1} of {len(ROWS)}."]
    assert kept.steps[-1] == len(ROWS)
    assert kept.names() == ["npy"]
    assert kept.store.lacking(Mean(), ROWS, changes) == 0


def test_a_pass_that_ended_before_its_first_chunk_begins_anew(tmp_path: Path) -> None:
    kept, again = Kept(tmp_path), Mean()
    with pytest.raises(Killed):
        kept.features(Mean(ends_before=0))
    kept.features(again)
    assert again.seen == len(ROWS)
    assert kept.notes == []


def test_what_was_killed_outright_costs_what_was_not_safe_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is gone writes no note: the one of the last safe moment counts."""
    kept = Kept(tmp_path)
    monkeypatch.setattr(feature_file, "SAFE_SECONDS", 0.0)
    with pytest.raises(Killed):
        kept.features(Mean(ends_before=1))
    (note,) = tmp_path.glob("*.part.json")
    after_one = note.read_bytes()
    with pytest.raises(Killed):
        kept.features(Mean(ends_before=1))  # the second chunk
    (part,) = tmp_path.glob("*.part.npy")
    note.write_bytes(after_one)
    with part.open("r+b") as file:  # as a power loss may leave what was not synced
        file.seek(-8, 2)
        file.write(b"\xff" * 8)
    again = Mean()
    (tmp_path / "whole").mkdir()
    assert np.array_equal(kept.features(again), Kept(tmp_path / "whole").features(Mean()))
    assert again.seen == len(ROWS) - CHUNK


def _cut(part: Path, note: Path) -> None:
    part.write_bytes(part.read_bytes()[:-1])


def _other_header(part: Path, note: Path) -> None:
    part.write_bytes(part.read_bytes().replace(b"<f4", b"<i4"))


def _no_note(part: Path, note: Path) -> None:
    note.unlink()


def _no_part(part: Path, note: Path) -> None:
    part.unlink()


def _too_many(part: Path, note: Path) -> None:
    note.write_text('{"done": 100000}')


def _negative(part: Path, note: Path) -> None:
    note.write_text('{"done": -1}')


def _no_json(part: Path, note: Path) -> None:
    note.write_bytes(b"\xff{")


@pytest.mark.parametrize(
    "damage", [_cut, _other_header, _no_note, _no_part, _too_many, _negative, _no_json]
)
def test_a_damaged_part_is_not_believed(
    tmp_path: Path, damage: Callable[[Path, Path], None]
) -> None:
    kept, again = Kept(tmp_path), Mean()
    with pytest.raises(Killed):
        kept.features(Mean(ends_before=2))
    (part,), (note,) = tmp_path.glob("*.part.npy"), tmp_path.glob("*.part.json")
    damage(part, note)
    assert kept.store.lacking(Mean(), ROWS) == len(ROWS)
    kept.features(again)
    assert again.seen == len(ROWS)
    assert kept.names() == ["npy"]


def test_a_part_of_all_outputs_needs_no_further_one(tmp_path: Path) -> None:
    file = FeatureFile(tmp_path / "features-a.npy", "float16", 3, (2,))
    outputs = np.arange(6, dtype=np.float32).reshape(3, 2)

    def all_and_killed() -> None:
        with file.grown() as append:
            append(outputs)
            raise Killed

    with pytest.raises(Killed):
        all_and_killed()
    assert (file.begun, file.is_whole) == (3, False)
    with file.grown(file.begun):
        pass
    assert file.is_whole
    assert np.array_equal(np.load(file.path), outputs.astype(np.float16))


def test_a_full_disk_is_given_back_what_was_written(tmp_path: Path) -> None:
    class Full(Mean):
        def __call__(self, images: np.ndarray) -> np.ndarray:
            if self.seen:
                raise OSError(28, "No space left on device")
            return super().__call__(images)

    kept = Kept(tmp_path)
    with pytest.raises(DiskFull, match="what was written of them is removed"):
        kept.features(Full())
    assert kept.names() == []


def test_outputs_that_come_in_any_order_take_a_parts_place(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    with pytest.raises(Killed):
        kept.features(Mean(ends_before=1))
    expected = Mean()(IMAGES[ROWS])
    places = np.random.default_rng(1).permutation(len(ROWS))
    with kept.store.filling(Mean(), ROWS) as keep:
        keep(places, expected[places])
    assert kept.names() == ["npy"]
    assert np.array_equal(kept.features(replace(Mean(), ends_before=0)), expected)
