"""From a folder to a pack in one call, on made-up and real data."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_files import class_folders, photo, stop_at, write_photo

from workbench.datasets import prepare as prepare_module
from workbench.datasets.manifest import read_manifest
from workbench.datasets.pack import open_pack
from workbench.datasets.prepare import prepare, prepare_from_manifest, survey
from workbench.datasets.store import list_datasets
from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.experiment.sections import DataSpec
from workbench.paths import Workspace

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="no shared data here")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def spec(source: Path, **values: Any) -> DataSpec:
    return DataSpec(source=str(source), **{"image_size": (10, 12), **values})


def everything_below(root: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
        for path in root.rglob("*")
        if path.is_file()
    }


def test_a_folder_becomes_a_pack(tmp_path: Path, workspace: Workspace) -> None:
    root = class_folders(tmp_path / "pets", **{"class 10": 10, "class 2": 10})
    before = everything_below(root)
    steps: list[tuple[str, int, int]] = []
    done = prepare(spec(root), workspace, lambda *step: steps.append(step))
    assert (done.name, done.folder) == ("pets", workspace.data / "pets")
    assert done.labels == ("class 2", "class 10")
    assert read_manifest(done.folder / "manifest.csv") == list(done.rows)
    assert open_pack(done.pack).shape == (20, 10, 12, 3)
    parts = [done.indices(split) for split in ("train", "validation", "test")]
    assert sorted(np.concatenate(parts).tolist()) == list(range(20))
    assert [len(part) for part in parts] == [14, 4, 2]
    assert all(done.rows[i].split == "test" for i in parts[2])
    assert parts[0].dtype == np.int64
    assert [phase for phase, done, total in steps if done == total] == ["scan", "pack"]
    assert everything_below(root) == before


def test_a_second_call_does_nothing_again(tmp_path: Path, workspace: Workspace) -> None:
    root = class_folders(tmp_path / "pets", cats=4, dogs=4)
    first = prepare(spec(root), workspace)
    stamp = first.pack.stat().st_mtime_ns
    steps: list[str] = []
    assert prepare(spec(root), workspace, lambda phase, *_: steps.append(phase)) == first
    assert set(steps) == {"look for changes", "scan"}
    assert first.pack.stat().st_mtime_ns == stamp


def test_bad_files_are_left_out_listed_and_kept(tmp_path: Path, workspace: Workspace) -> None:
    root = class_folders(tmp_path / "pets", cats=4, dogs=4)
    (root / "cats" / "bad.jpg").write_text("hello")
    done = prepare(spec(root), workspace)
    assert len(done.rows) == 8
    assert done.notes[-1] == (
        "1 file left out: its content is not an image of a known format (cats/bad.jpg)."
    )
    assert (root / "cats" / "bad.jpg").read_text() == "hello"
    (summary,) = list_datasets(workspace)
    assert (summary.images, summary.classes) == (9, 2)


def test_what_is_refused_leaves_the_audit_to_read(tmp_path: Path, workspace: Workspace) -> None:
    root = class_folders(tmp_path / "pets", cats=4)
    (root / "dogs").mkdir()
    (root / "dogs" / "bad.jpg").touch()
    with pytest.raises(UserError, match="1 class has no usable image: dogs"):
        prepare(spec(root), workspace)
    assert "the file is empty" in (workspace.data / "pets" / "audit.json").read_text()


def test_an_interruption_at_any_moment_is_made_good(tmp_path: Path, workspace: Workspace) -> None:
    root = class_folders(tmp_path / "pets", cats=6, dogs=6)
    folder = workspace.data / "pets"
    for number in (1, 7, 12):
        with pytest.raises(KeyboardInterrupt):
            prepare(spec(root), workspace, stop_at("scan", number))
        assert list(folder.glob("pack-*")) == []
    (folder / "scan-pack.keys").unlink()  # else there is nothing left to do for the pack
    for number in (1, 7):
        with pytest.raises(KeyboardInterrupt):
            prepare(spec(root), workspace, stop_at("pack", number))
        assert list(folder.glob("*pack*")) == []
    whole = prepare(spec(root), Workspace(tmp_path / "fresh"))
    done = prepare(spec(root), workspace)
    assert done.rows == whole.rows
    assert done.pack.read_bytes() == whole.pack.read_bytes()


KILLED = """
import signal, sys
from pathlib import Path
from workbench.datasets.prepare import prepare
from workbench.experiment.sections import DataSpec
from workbench.paths import Workspace

def progress(phase, done, total):
    if phase == sys.argv[3] and done == 3:
        print("here", flush=True)
        signal.pause()

data = DataSpec(source=sys.argv[1], image_size=(10, 12))
prepare(data, Workspace(Path(sys.argv[2])), progress)
"""


@pytest.mark.parametrize(("phase", "left"), [("scan", "scan-pack.npy"), ("pack", ".pack-*")])
def test_a_killed_preparation_is_made_good(
    phase: str, left: str, tmp_path: Path, workspace: Workspace
) -> None:
    root = class_folders(tmp_path / "pets", cats=6, dogs=6)
    folder = workspace.data / "pets"
    if phase == "pack":  # of images that are scanned
        prepare(spec(root, image_size=(8, 8)), workspace).pack.unlink()
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(root), str(workspace.root), phase],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(list(folder.glob(left))) == 1
    done = prepare(spec(root), workspace)
    assert [p.name for p in folder.glob("*pack*")] + [p.name for p in folder.glob(".pack*")] == [
        done.pack.name
    ]
    whole = prepare(spec(root), Workspace(tmp_path / "fresh"))
    assert done.pack.read_bytes() == whole.pack.read_bytes()


def test_a_run_keeps_its_manifest_whatever_happens_to_the_data(
    tmp_path: Path, workspace: Workspace
) -> None:
    root = class_folders(tmp_path / "pets", cats=6, dogs=6)
    first = prepare(spec(root), workspace)
    rows = read_manifest(first.folder / "manifest.csv")
    write_photo(root / "cats" / "new.png", 99)
    prepare(spec(root), workspace)
    again = prepare_from_manifest(spec(root), rows, workspace)
    assert (again.rows, again.pack, again.labels) == (first.rows, first.pack, first.labels)
    first.pack.unlink()
    rebuilt = prepare_from_manifest(spec(root), rows, workspace)
    assert open_pack(rebuilt.pack).shape[0] == 12
    shutil.rmtree(root)
    offline = prepare_from_manifest(spec(root), rows, workspace)
    assert offline.pack == first.pack


def test_a_missing_image_of_a_run_is_reported(tmp_path: Path, workspace: Workspace) -> None:
    root = class_folders(tmp_path / "pets", cats=6, dogs=6)
    first = prepare(spec(root), workspace)
    first.pack.unlink()
    (root / "cats" / "3.png").unlink()
    with pytest.raises(
        UserError, match=r"cats/3\.png changed since it was scanned: there is no such"
    ):
        prepare_from_manifest(spec(root), first.rows, workspace)


def test_names_in_any_bytes_are_read_back(tmp_path: Path, workspace: Workspace) -> None:
    odd = os.fsdecode(b"caf\xe9\n\x1b[31m")
    for number in range(4):
        write_photo(tmp_path / "pets" / odd / f"{odd}{number}.png", number)
        write_photo(tmp_path / "pets" / "dogs" / f"{number}.png", 10 + number)
    done = prepare(spec(tmp_path / "pets"), workspace)
    assert done.labels == (odd, "dogs")
    assert prepare_from_manifest(spec(tmp_path / "pets"), done.rows, workspace).rows == done.rows
    assert read_manifest(done.folder / "manifest.csv") == list(done.rows)


def test_a_full_disk_is_reported(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(tmp_path / "pets", cats=4, dogs=4)

    def full(path: Path, rows: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(prepare_module, "write_manifest", full)
    with pytest.raises(UserError) as refused:
        prepare(spec(root), workspace)
    assert "the disk is full. What was scanned so far is kept." in refused.value.message
    assert "--workspace DIR" in refused.value.hint


def test_a_folder_that_may_not_be_written_is_reported(tmp_path: Path, workspace: Workspace) -> None:
    root = class_folders(tmp_path / "pets", cats=4, dogs=4)
    folder = prepare(spec(root), workspace).folder
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("root may write everywhere")
    with pytest.raises(UserError, match="cannot be written"):
        prepare(spec(root, channels=1), workspace)
    folder.chmod(0o700)


def test_survey_returns_the_facts_for_presets(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets", cats=3, dogs=5)
    assert survey(root) == DataFacts(
        image_size=(20, 24),
        uniform=True,
        channels=3,
        classes=2,
        images=8,
        smallest_class=3,
        user_split=False,
        class_images=(3, 5),
    )
    write_photo(root / "cats" / "big.png", 50, 100, 90)
    assert not survey(root).uniform
    assert survey(root).image_size == (20, 24)


def test_survey_sees_grey_and_splits_in_arrays(tmp_path: Path) -> None:
    grey = np.zeros((4, 8, 9), np.uint8)
    path = tmp_path / "a.npz"
    np.savez(path, x_train=grey, y_train=[0, 1, 1, 1], x_test=grey[:2], y_test=[0, 1])
    facts = survey(path)
    assert (facts.image_size, facts.channels, facts.user_split) == ((8, 9), 1, True)
    assert (facts.images, facts.smallest_class) == (6, 2)
    assert facts.class_images == (1, 3)  # those to train on, which validation is taken from


def test_survey_passes_over_bad_files_and_refuses_when_all_are(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "pets", cats=1)
    (root / "dogs").mkdir()
    (root / "dogs" / "1.jpg").touch()
    assert survey(root).image_size == (20, 24)
    (root / "cats" / "0.png").write_text("text")
    with pytest.raises(UserError, match="None of the images sampled"):
        survey(root)


@needs_shared
def test_cats_and_dogs_go_through_with_no_hand_work(workspace: Workspace) -> None:
    done = prepare(DataSpec(source=str(SHARED / "cats_dogs_flat")), workspace)
    assert done.labels == ("cat", "dog")
    assert open_pack(done.pack).shape == (600, 150, 150, 3)
    counts = Counter((row.label, row.split) for row in done.rows)
    assert counts == {
        (label, split): count
        for label in ("cat", "dog")
        for split, count in (("train", 210), ("validation", 45), ("test", 45))
    }
    assert [f.code for f in done.audit.findings] == ["blurred"]


@needs_shared
def test_flowers_go_through_with_no_hand_work(workspace: Workspace) -> None:
    done = prepare(DataSpec(source=str(SHARED / "flowers5"), image_size=(64, 64)), workspace)
    assert len(done.labels) == 5
    assert open_pack(done.pack).shape == (600, 64, 64, 3)
    codes = [f.code for f in done.audit.findings]
    assert codes == ["duplicates", "near", "blurred"]
    same = done.audit.findings[0].groups
    sides = {row.path: row.split for row in done.rows}
    assert all(len({sides[path] for path in group}) == 1 for group in same)


# Copies that are not the same to the bit


def resaved(folder: Path, name: str, seed: int, copies: int) -> list[Path]:
    """A picture, saved as JPEG several times over in other qualities."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for copy in range(copies):
        path = folder / f"{name}-{copy}.jpg"
        photo(seed, 96, 80).save(path, quality=90 - 20 * copy)
        paths.append(path)
    return paths


def test_pictures_that_were_saved_again_stay_on_one_side(
    tmp_path: Path, workspace: Workspace
) -> None:
    labels = np.random.default_rng(1).permutation(["a"] * 30 + ["b"] * 30)
    for seed, label in enumerate(labels):
        resaved(tmp_path / "data" / label, f"p{seed}", seed, 3)
    prepared = prepare(spec(tmp_path / "data"), workspace)
    sides: dict[str, set[str]] = {}
    for row in prepared.rows:
        sides.setdefault(Path(row.path).stem.split("-")[0], set()).add(row.split)
    assert len(sides) == 60
    assert all(len(side) == 1 for side in sides.values())
    assert {split: len(prepared.indices(split)) for split in ("train", "validation", "test")} == {
        "train": 126,
        "validation": 30,  # 14 of each class, in threes
        "test": 24,
    }
    assert prepared.leaks() == {}
    kept = "180 pairs of images look nearly the same; both images of a pair are on the same side"
    assert any(kept in note for note in prepared.notes)


def test_copies_across_a_persons_split_are_counted(tmp_path: Path, workspace: Workspace) -> None:
    data = tmp_path / "data"
    for seed, label in enumerate("ab"):
        (data / "test" / label).mkdir(parents=True)
        again = resaved(data / "train" / label, f"p{seed}", seed, 3)[1]
        again.rename(data / "test" / label / again.name)
        write_photo(data / "test" / label / "own.png", 100 + seed, 96, 80)
        exact = (data / "train" / label / f"p{seed}-0.jpg").read_bytes()
        (data / "test" / label / "exact.jpg").write_bytes(exact)
    prepared = prepare(spec(data), workspace)
    assert prepared.leaks() == {"leaked": 2, "near_leaked": 2}  # of 6 test images
    again = prepare_from_manifest(spec(data), prepared.rows, workspace)
    assert again.leaks() == prepared.leaks()


def test_files_swapped_between_classes_bring_their_pixels(
    tmp_path: Path, workspace: Workspace
) -> None:
    root = class_folders(tmp_path / "data", a=8, b=8)
    files = [root / label / "0.bmp" for label in "ab"]
    for seed, file in enumerate(files):
        write_photo(file, 50 + seed)
        os.utime(file, ns=(10**18, 10**18))
    data = spec(root, image_size=(20, 24))
    prepare(data, workspace)
    aside = tmp_path / "aside"
    files[0].rename(aside)
    files[1].rename(files[0])
    aside.rename(files[1])
    prepared = prepare(data, workspace)
    at = [row.path for row in prepared.rows].index("a/0.bmp")
    assert np.array_equal(open_pack(prepared.pack)[at], np.asarray(photo(51)))
