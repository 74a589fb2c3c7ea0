"""Data folders: each source finds its own, locks hold, and only derived files are removed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from image_files import class_folders

from workbench.datasets.sources.opening import open_source
from workbench.datasets.sources.source import Item, Source
from workbench.datasets.store import (
    adding_features,
    building,
    clean,
    dataset_folder,
    describe,
    find_folder,
    list_datasets,
    source_root,
)
from workbench.errors import UserError
from workbench.paths import Workspace


def source(path: Path, folder: bool = True) -> Source:
    if folder:
        path.mkdir(parents=True, exist_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return Source(path, "class folders", (Item("a/1.jpg", "a"), Item("b/1.jpg", "b")), (), path)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def test_a_source_keeps_its_folder(workspace: Workspace, tmp_path: Path) -> None:
    pets = source(tmp_path / "pets")
    folder = dataset_folder(workspace, pets)
    assert folder == workspace.data / "pets"
    assert dataset_folder(workspace, pets) == folder
    assert find_folder(workspace, tmp_path / "pets") == folder
    assert find_folder(workspace, tmp_path / "x" / ".." / "pets") == folder
    assert find_folder(workspace, tmp_path / "other") is None
    assert source_root(folder) == tmp_path / "pets"


def test_another_source_of_the_same_name_gets_a_number(
    workspace: Workspace, tmp_path: Path
) -> None:
    names = [dataset_folder(workspace, source(tmp_path / d / "pets")).name for d in "abc"]
    assert names == ["pets", "pets-2", "pets-3"]
    assert dataset_folder(workspace, source(tmp_path / "b" / "pets")).name == "pets-2"


def test_a_link_leads_to_the_same_folder(workspace: Workspace, tmp_path: Path) -> None:
    folder = dataset_folder(workspace, source(tmp_path / "pets"))
    (tmp_path / "link").symlink_to(tmp_path / "pets")
    assert dataset_folder(workspace, source(tmp_path / "link")) == folder


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mnist.npz", "mnist"),
        ("My pets (new)", "My-pets-new"),
        ("..hidden", "hidden"),
        ("\x1b[31m\n", "31m"),
        ("猫", "data"),
        ("x" * 100, "x" * 48),
    ],
)
def test_names_are_made_safe(
    workspace: Workspace, tmp_path: Path, name: str, expected: str
) -> None:
    made = source(tmp_path / "in" / name, folder=not name.endswith(".npz"))
    assert dataset_folder(workspace, made).name == expected


def test_names_in_any_bytes_are_kept_in_source_json(workspace: Workspace, tmp_path: Path) -> None:
    odd = source(tmp_path / os.fsdecode(b"caf\xe9"))
    folder = dataset_folder(workspace, odd)
    assert find_folder(workspace, odd.path) == folder
    assert list_datasets(workspace)[0].source == str(odd.path)


def test_a_catalogue_s_source_keeps_the_catalogue_s_name(workspace: Workspace) -> None:
    inner = source(workspace.data / "flowers" / "source" / "flower_photos")
    assert dataset_folder(workspace, inner).name == "flowers"
    assert dataset_folder(workspace, inner).name == "flowers"


def test_a_person_s_source_does_not_mix_with_a_catalogue_s(
    workspace: Workspace, tmp_path: Path
) -> None:
    (workspace.data / "digits" / "source").mkdir(parents=True)
    assert dataset_folder(workspace, source(tmp_path / "digits")).name == "digits-2"
    own = source(workspace.data / "digits" / "source")
    assert dataset_folder(workspace, own).name == "digits"


def test_a_catalogue_name_taken_by_a_person_s_source(workspace: Workspace, tmp_path: Path) -> None:
    assert dataset_folder(workspace, source(tmp_path / "digits")).name == "digits"
    own = source(workspace.data / "digits" / "source")
    assert dataset_folder(workspace, own).name == "digits-2"


@pytest.mark.parametrize("content", ["", "[]", "\0", "{}"])
def test_a_damaged_source_json_gives_a_new_folder(
    workspace: Workspace, tmp_path: Path, content: str
) -> None:
    pets = source(tmp_path / "pets")
    (dataset_folder(workspace, pets) / "source.json").write_text(content)
    assert dataset_folder(workspace, pets).name == "pets-2"


def test_a_workspace_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="No data folder can be created"):
        dataset_folder(Workspace(tmp_path / "file"), source(tmp_path / "pets"))


def test_data_sets_are_listed_with_their_packs(workspace: Workspace, tmp_path: Path) -> None:
    assert list_datasets(workspace) == []
    folder = dataset_folder(workspace, source(tmp_path / "pets"))
    (folder / "pack-1.npy").write_bytes(bytes(300))
    (workspace.data / "README.md").touch()
    (workspace.data / "unknown").mkdir()
    (one,) = list_datasets(workspace)
    assert (one.name, one.source, one.kind) == ("pets", str(tmp_path / "pets"), "class folders")
    assert (one.images, one.classes) == (None, None)
    assert one.packs == {"pack-1.npy": 300}
    assert describe(workspace, "pets") == (one, None)


@pytest.mark.parametrize("name", ["nothing", "..", "pets/../pets", "\x1b"])
def test_unknown_names_are_refused(workspace: Workspace, tmp_path: Path, name: str) -> None:
    dataset_folder(workspace, source(tmp_path / "pets"))
    for call in (describe, clean):
        with pytest.raises(UserError) as refused:
            call(workspace, name)
        assert "There is no data set" in refused.value.message
        assert refused.value.hint == "There is pets."
        assert "\x1b" not in str(refused.value)


def filled(workspace: Workspace, tmp_path: Path) -> Path:
    folder = dataset_folder(workspace, source(tmp_path / "pets"))
    for name in ("pack-1.npy", "pack-2.npy", ".pack-3.99.tmp.npy", "scan.jsonl"):
        (folder / name).write_bytes(bytes(100))
    for name in ("manifest.csv", "audit.json", "notes.txt", "mypack-1.npy"):
        (folder / name).touch()
    (folder / "source").mkdir()
    return folder


def test_clean_removes_features_where_no_pack_is_kept(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "birds"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "source.json").write_text("{}")
    for name in ("pack-1.npy", "features-1.npy", "features-2.npy"):
        (folder / name).write_bytes(b"0" * 10)
    own = Workspace(tmp_path)
    assert clean(own, "birds", keep={"pack-1.npy"}).removed == ()
    assert sorted(clean(own, "birds").removed) == ["features-1.npy", "features-2.npy", "pack-1.npy"]


def test_clean_removes_only_packs_and_leftovers(workspace: Workspace, tmp_path: Path) -> None:
    folder = filled(workspace, tmp_path)
    done = clean(workspace, "pets", keep={"pack-2.npy"})
    assert done.freed == 200
    assert done.removed == ("pack-1.npy", ".pack-3.99.tmp.npy")
    assert sorted(p.name for p in folder.iterdir() if not p.name.startswith(".")) == [
        "audit.json", "manifest.csv", "mypack-1.npy", "notes.txt", "pack-2.npy", "scan.jsonl",
        "source", "source.json",
    ]  # fmt: skip


def test_clean_removes_the_scan_when_asked(workspace: Workspace, tmp_path: Path) -> None:
    filled(workspace, tmp_path)
    assert "scan.jsonl" in clean(workspace, "pets", scan=True).removed
    assert clean(workspace, "pets", scan=True).removed == ()


def test_a_person_s_images_are_never_touched(workspace: Workspace) -> None:
    root = class_folders(workspace.data / "pets" / "source", cats=2, dogs=2)
    dataset_folder(workspace, open_source(root))
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    clean(workspace, "pets", scan=True)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_building_removes_what_a_killed_process_left(workspace: Workspace, tmp_path: Path) -> None:
    folder = filled(workspace, tmp_path)
    with building(folder):
        assert not (folder / ".pack-3.99.tmp.npy").exists()
        assert (folder / "pack-1.npy").exists()


HOLDER = """
import sys
from pathlib import Path
from workbench.datasets.store import building
with building(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held(workspace: Workspace, tmp_path: Path):  # type: ignore[no-untyped-def]
    """A data folder that another process is preparing, and that process."""
    folder = filled(workspace, tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield folder, process
    process.kill()
    process.communicate()


def test_building_waits_for_another_process(held, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    folder, process = held
    steps: list[str] = []

    def progress(phase: str, done: int, total: int) -> None:
        steps.append(phase)
        process.kill()  # the kernel lets go of the lock
        process.wait()

    with building(folder, progress):
        assert steps == ["wait for another process"]


def test_waiting_can_be_interrupted(held) -> None:  # type: ignore[no-untyped-def]
    def progress(phase: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), building(held[0], progress):
        pass


def test_what_features_are_added_to_is_not_cleaned(workspace: Workspace, tmp_path: Path) -> None:
    """Many may add features, also while the images are prepared again."""
    folder = filled(workspace, tmp_path)
    with adding_features(folder), adding_features(folder), building(folder):
        pass
    with (
        adding_features(folder),
        pytest.raises(UserError, match="Another process is computing features of pets"),
    ):
        clean(workspace, "pets")
    assert (folder / "pack-1.npy").exists()


def test_what_is_being_prepared_is_not_cleaned(held, workspace: Workspace) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match="Another process is preparing pets"):
        clean(workspace, "pets")
    assert (held[0] / "pack-1.npy").exists()
