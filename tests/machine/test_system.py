"""The host, read from small trees in place of /proc, /sys and the rest."""

import os
import platform
from pathlib import Path

import psutil
import pytest
from file_tree import put

from workbench.machine.host import instruction_set, read_system
from workbench.machine.host_facts import LoginSession, Slurm


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


def test_a_login_node_of_slurm(tmp_path: Path) -> None:
    put(tmp_path, {"bin/srun": "#!/bin/sh\n"})
    (tmp_path / "bin/srun").chmod(0o755)
    assert read_system({"PATH": str(tmp_path / "bin")}, tmp_path).slurm == Slurm()
