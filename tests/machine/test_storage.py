"""Folders are tested and left as they were; weights are found where Keras stores them."""

import errno
import os
import textwrap
from pathlib import Path

import pytest
from machine_facts import healthy

from workbench.bases.architectures import BASES
from workbench.errors import UserError
from workbench.machine import host as module
from workbench.machine.benchmark_store import cache_folder
from workbench.machine.diagnosis import rows
from workbench.machine.host import check_folder, read_storage
from workbench.machine.host_facts import Storage, StorageFolder
from workbench.paths import Workspace

VGG16 = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
MOBILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_{}_no_top.h5"


def read(root: Path, **environment: str) -> Storage:
    mounts = root / "mounts"
    mounts.write_text(
        "/dev/vda / ext4 rw 0 0\n"
        f"server:/home {root} nfs4 rw 0 0\n"
        f"tmpfs {root}/with\\040space tmpfs rw 0 0\n"
        f"overlay {root}/with\\040space overlay rw 0 0\n"
    )
    return read_storage(Workspace(root / "work"), root / "with space/cache", environment, mounts)


def places(storage: Storage) -> dict[str, StorageFolder]:
    return {place.what: place for place in storage.places}


def test_folders_are_tried_out_but_not_made(tmp_path: Path) -> None:
    (tmp_path / "with space").mkdir()
    found = places(read(tmp_path))
    assert list(found) == ["runs", "packs", "cache"]
    assert found["runs"].path == tmp_path / "work/saved_models"
    assert found["packs"].path == tmp_path / "work/data"
    assert found["cache"].path == tmp_path / "with space/cache"
    for place in found.values():
        assert place.writable
        assert place.locks is True
        assert place.free is not None
        assert place.free > 0
    assert [found[what].file_system for what in found] == ["nfs4", "nfs4", "overlay"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["mounts", "with space"]


def test_without_a_table_of_file_systems(tmp_path: Path) -> None:
    found = read_storage(Workspace(tmp_path), tmp_path, {}, tmp_path / "no mounts")
    assert {place.file_system for place in found.places} == {""}


def test_a_real_host(tmp_path: Path) -> None:
    found = read_storage(Workspace(tmp_path), tmp_path / "cache", os.environ)
    assert all(place.file_system for place in found.places)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work/saved_models").write_text("a file in its place")
    runs = places(read(tmp_path))["runs"]
    assert (runs.writable, runs.locks) == (False, None)
    assert runs.free is not None


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_entered(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir(mode=0)
    try:
        runs = places(read(tmp_path))["runs"]
    finally:
        (tmp_path / "work").chmod(0o700)
    assert (runs.writable, runs.locks) == (False, None)


def test_a_full_disk_is_not_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "write", full)
    assert check_folder(tmp_path) == (False, None)
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> int:
        raise UserError("The file system has no file locks.")

    monkeypatch.setattr(module, "take_lock", refuse)
    assert check_folder(tmp_path) == (True, False)
    assert list(tmp_path.iterdir()) == []


def test_locks_that_do_not_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "take_lock", lambda path: os.open(path, os.O_RDWR))
    assert check_folder(tmp_path) == (True, False)


def test_nothing_of_a_persons_is_touched(tmp_path: Path) -> None:
    mine = tmp_path / f".workbench-check-{os.getpid()}"
    mine.write_text("mine")
    assert check_folder(tmp_path) == (False, None)
    assert mine.read_text() == "mine"


def put_weights(folder: Path, name: str) -> Path:
    path = folder / "models" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    return path


def weights(root: Path) -> dict[str, Path | None]:
    environment = {"KERAS_HOME": str(root / "keras home"), "HOME": str(root / "home")}
    return {found.base: found.path for found in read(root, **environment).weights}


def test_weights_that_would_be_downloaded(tmp_path: Path) -> None:
    assert weights(tmp_path) == dict.fromkeys(BASES)
    sizes = {found.base: found.size for found in read(tmp_path).weights}
    assert sizes == {
        "vgg16": 58_889_256,
        "vgg19": 80_134_624,
        "mobilenetv2-0.35": None,  # not published
        "mobilenetv2-1.0": 9_406_464,
    }


def test_weights_that_are_here(tmp_path: Path) -> None:
    second = put_weights(tmp_path / "home/.keras", VGG16)
    stand_in = put_weights(tmp_path / "home/.keras", MOBILE.format(224))
    nothing = dict.fromkeys(BASES)
    assert weights(tmp_path) == {**nothing, "vgg16": second, "mobilenetv2-1.0": stand_in}
    first = put_weights(tmp_path / "keras home", VGG16)
    exact = put_weights(tmp_path / "home/.keras", MOBILE.format(160))
    assert weights(tmp_path) == {**nothing, "vgg16": first, "mobilenetv2-1.0": exact}


def test_the_cache_folder(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert cache_folder(home) == tmp_path / ".cache/workbench"
    assert cache_folder({**home, "XDG_CACHE_HOME": "/scratch"}) == Path("/scratch/workbench")
    assert cache_folder({**home, "XDG_CACHE_HOME": "here"}) == tmp_path / ".cache/workbench"
    assert cache_folder({}) == Path.home() / ".cache/workbench"
    assert list(tmp_path.iterdir()) == []


def test_all_bases_fit_into_two_lines_of_a_small_terminal(tmp_path: Path) -> None:
    facts = healthy(storage=read(tmp_path))
    found = dict(rows(facts, {}))["weights"]
    assert all(base in found for base in BASES)
    assert len(textwrap.wrap(found, 67)) == 2
