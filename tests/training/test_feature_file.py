"""The file of features: complete or absent; an interrupted pass, or shard, is resumed exactly."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from workbench.errors import DiskFull
from workbench.experiment.augmentation import AugmentationSpec
from workbench.training import feature_file
from workbench.training.feature_file import CHUNK, WHOLE, FeatureFile, Shard
from workbench.training.features import FeatureStore
from workbench.training.inputs import Augmented

IMAGES = np.random.default_rng(0).integers(0, 256, (3 * CHUNK + 5, 4, 4, 1), dtype=np.uint8)
ROWS = np.arange(len(IMAGES))[::-1].copy()
VIEWS = Augmented(AugmentationSpec(rotation=90, brightness=0.5), 1, 0, np.ones(len(ROWS), int),
                  np.arange(len(ROWS), dtype=np.uint64))  # fmt: skip


class Killed(BaseException):
    """Stands for anything that ends a pass."""


@dataclass
class Mean:
    """A prefix that counts its images, and may be killed before a chunk."""

    killed_before: int = 10**9
    seen: int = 0
    cut: str = "mean"
    shape: tuple[int, ...] = (4,)
    identity: str = ""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        if self.seen // CHUNK == self.killed_before:
            raise Killed
        self.seen += len(images)
        return images.mean((1, 3)).astype(np.float32)


@dataclass
class RecordingStore:
    """A store, its notices and its progress."""

    folder: Path
    notices: list[str] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    def features(self, prefix: Mean, changes: Augmented | None = None) -> np.ndarray:
        return np.array(self.store.features(prefix, IMAGES, ROWS, changes))

    @property
    def store(self) -> FeatureStore:
        def progress(phase: str, done: int, total: int) -> None:
            self.steps.append(done)

        return FeatureStore(self.folder, {}, "float32", progress, self.notices.append)

    def names(self) -> list[str]:
        found = (p.name for p in self.folder.iterdir() if p.name.startswith("features"))
        return sorted(name.partition(".")[2] for name in found)


@pytest.mark.parametrize("changes", [None, VIEWS], ids=["plain", "augmented"])
@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_an_interrupted_pass_is_resumed_bit_for_bit(
    tmp_path: Path, chunks: int, changes: Augmented | None
) -> None:
    (tmp_path / "whole").mkdir()
    expected = RecordingStore(tmp_path / "whole").features(Mean(), changes)
    cache = RecordingStore(tmp_path)
    with pytest.raises(Killed):
        cache.features(Mean(killed_before=chunks), changes)
    assert cache.names() == ["part.done", "part.npy"]
    assert cache.store.count_missing(Mean(), ROWS, changes) == len(ROWS) - chunks * CHUNK
    again = Mean()
    assert np.array_equal(cache.features(again, changes), expected)
    assert again.seen == len(ROWS) - chunks * CHUNK
    assert cache.notices == [
        f"The prefix resumes: {chunks * CHUNK} of {len(ROWS)} images have passed it before."
    ]
    assert cache.steps[-1] == len(ROWS)
    assert cache.names() == ["npy"]
    assert cache.store.count_missing(Mean(), ROWS, changes) == 0


def test_a_pass_killed_before_its_first_chunk_restarts(tmp_path: Path) -> None:
    cache, again = RecordingStore(tmp_path), Mean()
    with pytest.raises(Killed):
        cache.features(Mean(killed_before=0))
    cache.features(again)
    assert again.seen == len(ROWS)
    assert cache.notices == []


def test_a_killed_process_loses_what_was_not_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts are the bytes of the chunks, which are written after a sync."""
    cache = RecordingStore(tmp_path)
    monkeypatch.setattr(feature_file, "SYNC_SECONDS", 0.0)
    with pytest.raises(Killed):
        cache.features(Mean(killed_before=2))
    (done,), (part,) = tmp_path.glob("*.part.done"), tmp_path.glob("*.part.npy")
    assert done.read_bytes() == b"\1\1\0\0"
    done.write_bytes(b"\1\0\0\0")
    with part.open("r+b") as file:  # as a power loss may leave what was not synced
        file.seek(-(len(ROWS) - CHUNK) * 16, 2)
        file.write(b"\xff" * CHUNK * 16)
    again = Mean()
    (tmp_path / "whole").mkdir()
    assert np.array_equal(
        cache.features(again), RecordingStore(tmp_path / "whole").features(Mean())
    )
    assert again.seen == len(ROWS) - CHUNK


DAMAGES: dict[str, Callable[[Path, Path], object]] = {
    "cut off": lambda part, done: part.write_bytes(part.read_bytes()[:-1]),
    "other header": lambda part, done: part.write_bytes(part.read_bytes().replace(b"<f4", b"<i4")),
    "no part": lambda part, done: part.unlink(),
    "no chunks": lambda part, done: done.unlink(),
    "too many chunks": lambda part, done: done.write_bytes(b"\1" * 5),
    "other bytes": lambda part, done: done.write_bytes(b"\0\2\xff1"),
    "of an earlier version": lambda part, done: (
        part.write_bytes(part.read_bytes()[: -5 * 16]),
        done.rename(done.with_suffix(".json")).write_text('{"done": 96}'),
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_ignored(tmp_path: Path, damage: str) -> None:
    cache, again = RecordingStore(tmp_path), Mean()
    with pytest.raises(Killed):
        cache.features(Mean(killed_before=2))
    (part,), (done,) = tmp_path.glob("*.part.npy"), tmp_path.glob("*.part.done")
    DAMAGES[damage](part, done)
    assert cache.store.count_missing(Mean(), ROWS) == len(ROWS)
    cache.features(again)
    assert again.seen == len(ROWS)
    assert cache.names() == ["npy"]


def test_a_part_with_all_features_needs_no_further_one(tmp_path: Path) -> None:
    file = FeatureFile(tmp_path / "features-a.npy", "float16", 3, (2,))
    outputs = np.arange(6, dtype=np.float32).reshape(3, 2)

    def all_and_killed() -> None:
        with file.part() as part:
            assert list(part.claim(WHOLE)) == [0]
            part.write(outputs)
            raise Killed

    with pytest.raises(Killed):
        all_and_killed()
    assert (file.count_missing(), file.is_whole) == (0, False)
    with file.part() as part:
        assert part.finish()
    assert file.is_whole
    assert np.array_equal(np.load(file.path), outputs.astype(np.float16))


def test_a_chunk_belongs_to_one_process_until_it_ends(tmp_path: Path) -> None:
    file = FeatureFile(tmp_path / "features-a.npy", "float32", 3 * CHUNK + 1, (1,))
    chunk = np.ones((CHUNK, 1), np.float32)
    with file.part() as here:
        with file.part() as there:
            first, second = here.claim(WHOLE), there.claim(WHOLE)
            assert [next(first), next(second), next(first), next(second)] == [0, 1, 2, 3]
            assert (next(first, None), next(second, None)) == (None, None)
            here.write(chunk)  # of the two it has
            there.write(chunk)
            there.sync()
            assert (here.done, there.done) == (2 * CHUNK, CHUNK)  # and what it wrote itself
            assert not there.claim_all()
        assert list(here.claim(WHOLE)) == [0, 2, 3]  # its own, and one of the process that ended
        assert here.claim_all()
        assert not here.finish()
    assert file.count_missing() == 2 * CHUNK + 1  # a block that ends well has synced before


def test_a_part_that_was_replaced_is_left_alone(tmp_path: Path) -> None:
    file = FeatureFile(tmp_path / "features-a.npy", "float32", CHUNK, (1,))
    with file.part() as old:
        list(old.claim(WHOLE))
        old.write(np.ones((CHUNK, 1), np.float32))
        file.part_path.unlink()
        with file.part() as new:
            old.sync()
            assert (old.finish(), new.finish(), new.done) == (True, False, 0)
    assert not file.is_whole


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_the_shards_of_a_file_are_all_of_its_chunks(count: int) -> None:
    shares = [Shard(number, count).of(5) for number in range(1, count + 1)]
    assert [chunk for share in shares for chunk in share] == [0, 1, 2, 3, 4]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_shard_is_computed_alone_and_the_last_one_completes_the_file(tmp_path: Path) -> None:
    expected = RecordingStore(tmp_path / "whole")
    expected.folder.mkdir()
    cache, seen = RecordingStore(tmp_path), []
    for number in (2, 3, 1):
        mean = Mean()
        store = replace(cache.store, shard=Shard(number, 3))
        assert store.count_missing(mean, ROWS) == (CHUNK + 5 if number == 3 else CHUNK)
        store.compute(mean, IMAGES, ROWS)
        assert store.count_missing(mean, ROWS) == 0
        seen.append(mean.seen)
    assert (seen, cache.names()) == ([CHUNK, CHUNK + 5, CHUNK], ["npy"])
    assert np.array_equal(cache.features(Mean(killed_before=0)), expected.features(Mean()))


def test_a_full_disk_leaves_no_part(tmp_path: Path) -> None:
    class Full(Mean):
        def __call__(self, images: np.ndarray) -> np.ndarray:
            if self.seen:
                raise OSError(28, "No space left on device")
            return super().__call__(images)

    cache = RecordingStore(tmp_path)
    with pytest.raises(DiskFull, match="what was written of them is removed"):
        cache.features(Full())
    assert cache.names() == []


def test_features_in_any_order_replace_a_part(tmp_path: Path) -> None:
    cache = RecordingStore(tmp_path)
    with pytest.raises(Killed):
        cache.features(Mean(killed_before=1))
    expected = Mean()(IMAGES[ROWS])
    places = np.random.default_rng(1).permutation(len(ROWS))
    with cache.store.filling(Mean(), ROWS) as keep:
        keep(places, expected[places])
    assert cache.names() == ["npy"]
    assert np.array_equal(cache.features(replace(Mean(), killed_before=0)), expected)


def test_the_name_of_a_file_depends_on_what_changes_single_images() -> None:
    """Files from before there were crops and mixing keep their names."""
    older = [
        "rotation", "width_shift", "height_shift", "shear", "zoom", "horizontal_flip",
        "vertical_flip", "brightness", "contrast", "fill",
    ]  # fmt: skip
    spec = AugmentationSpec(rotation=90, mixup=0.2, cutmix=1.0)
    assert list(spec.of_images()) == older
    assert spec.of_images() == AugmentationSpec(rotation=90).of_images()
    assert AugmentationSpec(random_crop=0.4).of_images()["random_crop"] == 0.4
