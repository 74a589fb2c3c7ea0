"""A source's folders are listed once, and what changes in them is noticed."""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_files import class_folders, write_photo

from workbench.datasets.prepare import inspect, prepare, survey
from workbench.datasets.sources import walk as walk_module
from workbench.datasets.sources.kept_listing import LISTING_NAME, read_listing
from workbench.datasets.sources.opening import forget_source, open_source
from workbench.datasets.sources.source import Source
from workbench.datasets.store import dataset_folder, open_in
from workbench.experiment.sections import DataSpec
from workbench.paths import Workspace

Listed = Counter[str]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


@pytest.fixture(autouse=True)
def certain_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders made a moment ago count as made long ago; and nothing is opened from before."""
    monkeypatch.setattr(walk_module, "_TICK", -(10**12))
    forget_source()


_listing: list[Listed] = []  # where calls are counted now


def _count(event: str, arguments: tuple[Any, ...]) -> None:
    if _listing and event in ("os.scandir", "os.listdir"):
        _listing[0][os.fspath(arguments[0] or ".")] += 1


sys.addaudithook(_count)


@contextmanager
def listed(root: Path) -> Any:
    """Yield how often each folder in `root` is listed in the block, by its path from there."""
    calls: Listed = Counter()
    found: Listed = Counter()
    _listing.append(calls)
    try:
        yield found
    finally:
        _listing.clear()
        inside = {path: n for path, n in calls.items() if Path(path).is_relative_to(root)}
        found.update({os.path.relpath(path, root): n for path, n in inside.items()})


def classes(root: Path) -> Path:
    class_folders(root, cats=4, dogs=4)
    write_photo(root / "cats" / "inner" / "a.png", 20)
    (root / "papers").mkdir()
    (root / "papers" / "a.txt").touch()
    return root


def parts(root: Path) -> Path:
    for number, part in enumerate(("train", "test")):
        for label in ("cats", "dogs"):
            for n in range(4):
                write_photo(root / part / label / f"{n}.png", 10 * number + n)
    return root


def wrapped(root: Path) -> Path:
    classes(root / "only")
    return root


def flat(root: Path) -> Path:
    for n in range(8):
        write_photo(root / f"{('cat', 'dog')[n % 2]}.{n}.png", n)
    return root


def with_table(root: Path) -> Path:
    class_folders(root, images=4)
    lines = [f"images/{n}.png,{('cat', 'dog')[n % 2]}\n" for n in range(4)]
    (root / "labels.csv").write_text("path,label\n" + "".join(lines))
    return root


def with_arrays(root: Path) -> Path:
    root.mkdir()
    images = np.random.default_rng(1).integers(0, 256, (8, 20, 24), np.uint8)
    labels = [0, 1] * 4
    np.savez(root / "a.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    return root


LAYOUTS = (classes, parts, wrapped, flat, with_table, with_arrays)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_source_is_opened_by_listing_each_folder_once(
    layout: Callable[[Path], Path], tmp_path: Path
) -> None:
    root = layout(tmp_path / "data")
    folders = {os.path.relpath(path, root) for path, _, _ in os.walk(root)}
    with listed(root) as counts:
        open_source(root)
    assert set(counts.values()) == {1}
    assert set(counts) <= folders


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_kept_is_what_was_opened(
    layout: Callable[[Path], Path], tmp_path: Path, workspace: Workspace
) -> None:
    root = layout(tmp_path / "data")
    source = open_source(root)
    folder = dataset_folder(workspace, source)
    kept = read_listing(folder, root)
    assert kept == source
    assert kept.labels == source.labels
    assert [item.split for item in kept.items] == [item.split for item in source.items]


def test_from_the_choice_of_images_to_their_pack_they_are_listed_once(
    tmp_path: Path, workspace: Workspace
) -> None:
    """By the commands: the facts for a preset; in another process, the preparation."""
    root = classes(tmp_path / "data")
    with listed(root) as counts:
        survey(root)
        dataset_folder(workspace, open_in(workspace, root))  # the check before the start
        forget_source()
        prepare(DataSpec(source=str(root), image_size=(10, 12)), workspace)
    assert set(counts.values()) == {1}


def test_the_app_lists_them_once(tmp_path: Path, workspace: Workspace) -> None:
    """The scan, the check before the start, and the preparation, each in a process of its own."""
    root = classes(tmp_path / "data")
    with listed(root) as counts:
        inspect(root, workspace)
        forget_source()
        dataset_folder(workspace, open_in(workspace, root))
        forget_source()
        prepare(DataSpec(source=str(root), image_size=(10, 12)), workspace)
    assert set(counts.values()) == {1}


# Changes


def new_file(root: Path) -> None:
    write_photo(root / "cats" / "inner" / "new.png", 30)


def removed_file(root: Path) -> None:
    (root / "dogs" / "0.png").unlink()


def renamed_file(root: Path) -> None:
    (root / "dogs" / "0.png").rename(root / "dogs" / "other.png")


def new_class(root: Path) -> None:
    write_photo(root / "birds" / "0.png", 30)


def renamed_class(root: Path) -> None:
    (root / "dogs").rename(root / "hounds")


def image_among_papers(root: Path) -> None:
    write_photo(root / "papers" / "0.png", 30)


@pytest.mark.parametrize(
    "change",
    [new_file, removed_file, renamed_file, new_class, renamed_class, image_among_papers],
)
def test_a_changed_folder_is_listed_again(
    change: Callable[[Path], None], tmp_path: Path, workspace: Workspace
) -> None:
    root = classes(tmp_path / "data")
    before = open_source(root)
    dataset_folder(workspace, before)
    change(root)
    again, kept = open_source(root), open_in(workspace, root)
    assert again.items == kept.items != before.items
    assert not kept.kept


def test_a_changed_table_is_read_again(tmp_path: Path, workspace: Workspace) -> None:
    root = with_table(tmp_path / "data")
    before = open_source(root)
    dataset_folder(workspace, before)
    text = (root / "labels.csv").read_text()
    (root / "labels.csv").write_text(text.replace("cat", "cow"))
    assert open_in(workspace, root).labels == open_source(root).labels == ("cow", "dog")


def test_a_folder_that_has_just_changed_is_listed_again(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another change within the same tick of its file system's clock would leave no trace."""
    root = classes(tmp_path / "data")
    newest = max(max(s.st_mtime_ns, s.st_ctime_ns) for s in map(os.stat, (root, root / "cats")))
    monkeypatch.setattr(walk_module, "_TICK", 1000)
    monkeypatch.setattr(walk_module, "_COARSE_TICK", 1000)
    for later, kept in ((1, False), (10**9, True)):
        walk = walk_module.Walk()
        walk._started = newest + later
        walk.entries(root)
        walk.entries(root / "cats")
        assert bool(walk.evidence()) is kept


@pytest.mark.parametrize(("fraction", "tick"), [(0, 2_000_000_000), (1, 20_000_000)])
def test_times_in_whole_seconds_are_trusted_later(
    fraction: int, tick: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    stamp = (5 * 10**9, 7 * 10**9 + fraction, 1, 1, 1)
    assert not walk_module._is_certain(stamp, stamp[1] + tick)
    assert walk_module._is_certain(stamp, stamp[1] + tick + 1)


def test_a_link_to_nothing_is_looked_at_again(tmp_path: Path, workspace: Workspace) -> None:
    root = classes(tmp_path / "data")
    (root / "birds").symlink_to(tmp_path / "birds")
    dataset_folder(workspace, open_source(root))
    write_photo(tmp_path / "birds" / "0.png", 40)
    assert open_in(workspace, root).labels == ("birds", "cats", "dogs")


@pytest.mark.parametrize(
    "damage",
    [
        lambda values: "{",
        lambda values: "[]",
        lambda values: json.dumps(values | {"made_by": "another version"}),
        lambda values: json.dumps(values | {"items": [["a.png"]]}),
        lambda values: json.dumps(values | {"evidence": {}}),
    ],
)
def test_a_damaged_listing_is_not_used(
    damage: Callable[[dict[str, Any]], str], tmp_path: Path, workspace: Workspace
) -> None:
    root = classes(tmp_path / "data")
    source = open_source(root)
    path = dataset_folder(workspace, source) / LISTING_NAME
    path.write_text(damage(json.loads(path.read_text())))
    found: Source = open_in(workspace, root)
    assert (found, found.kept) == (source, False)
