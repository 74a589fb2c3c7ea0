"""Containers and the limits of control groups, from small trees of files."""

from pathlib import Path

import pytest
from file_tree import put

from workbench.machine.environment import CgroupLimits, read_container, read_limits
from workbench.machine.host import read_system
from workbench.machine.host_facts import Container

GIB = 1 << 30


V2 = "0::/user.slice/job.scope\n"
GROUP = "sys/fs/cgroup/user.slice/job.scope"


def test_limits_of_the_groups_around_count_too(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "proc/self/cgroup": V2,
            f"{GROUP}/cpu.max": "400000 100000\n",
            f"{GROUP}/memory.max": "max\n",
            "sys/fs/cgroup/user.slice/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/user.slice/memory.max": f"{2 * GIB}\n",
            "sys/fs/cgroup/user.slice/memory.current": f"{GIB}\n",
            "sys/fs/cgroup/user.slice/memory.stat": f"anon 5\ninactive_file {GIB // 2}\nfile 7\n",
        },
    )
    assert read_limits(tmp_path) == CgroupLimits(
        cores=1.5, memory=2 * GIB, memory_left=3 * GIB // 2
    )


def test_no_limits(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "proc/self/cgroup": V2,
            f"{GROUP}/cpu.max": "max 100000\n",
            f"{GROUP}/memory.max": "max\n",
        },
    )
    assert read_limits(tmp_path) == CgroupLimits()


@pytest.mark.parametrize("path", ["/", "/docker/0123abc", "/../../job"])
def test_a_container_sees_its_own_group_at_the_top(path: str, tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "proc/self/cgroup": f"0::{path}\n",
            "sys/fs/cgroup/cpu.max": "50000 100000\n",
            "sys/fs/cgroup/memory.max": f"{GIB}\n",
            "sys/fs/cgroup/memory.current": f"{2 * GIB}\n",
        },
    )
    assert read_limits(tmp_path) == CgroupLimits(cores=0.5, memory=GIB, memory_left=0)


@pytest.mark.parametrize("controllers", ["cpu,cpuacct", "cpuacct,cpu"])
def test_limits_of_the_old_interface(controllers: str, tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "proc/self/cgroup": f"5:{controllers}:/docker/1\n4:memory:/docker/1\n3:pids:/\n0::/\n",
            f"sys/fs/cgroup/{controllers}/docker/1/cpu.cfs_quota_us": "250000\n",
            f"sys/fs/cgroup/{controllers}/docker/1/cpu.cfs_period_us": "100000\n",
            f"sys/fs/cgroup/{controllers}/cpu.cfs_quota_us": "-1\n",
            f"sys/fs/cgroup/{controllers}/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": f"{GIB}\n",
            "sys/fs/cgroup/memory/docker/1/memory.usage_in_bytes": f"{GIB // 2}\n",
            "sys/fs/cgroup/memory/docker/1/memory.stat": f"total_inactive_file {GIB // 4}\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    assert read_limits(tmp_path) == CgroupLimits(cores=2.5, memory=GIB, memory_left=3 * GIB // 4)


def test_the_host_is_no_larger_than_its_limits(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/cpu.max": "25000 100000\n",
            "sys/fs/cgroup/memory.max": f"{1 << 20}\n",
            "sys/fs/cgroup/memory.current": f"{1 << 19}\n",
        },
    )
    system = read_system({}, tmp_path)
    assert system.cores_allowed == 0.25
    assert (system.memory_total, system.memory_available) == (1 << 20, 1 << 19)


@pytest.mark.parametrize(
    ("files", "environment", "kind"),
    [
        ({".dockerenv": ""}, {}, "docker"),
        ({"run/.containerenv": ""}, {"container": "oci"}, "podman"),
        ({".dockerenv": ""}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes"),
        ({}, {"APPTAINER_CONTAINER": "/images/tf.sif"}, "apptainer"),
        ({}, {"SINGULARITY_CONTAINER": "/images/tf.sif"}, "apptainer"),
        ({}, {"container": "lxc"}, "lxc"),
        ({"run/systemd/container": "lxc\n"}, {}, "lxc"),
        ({}, {"container": "systemd-nspawn"}, "container"),
    ],
)
def test_kinds_of_containers(
    files: dict[str, str], environment: dict[str, str], kind: str, tmp_path: Path
) -> None:
    put(tmp_path, files)
    assert read_container(environment, tmp_path) == Container(kind=kind)


def test_outside_of_a_container(tmp_path: Path) -> None:
    put(tmp_path, {"dev/nvidia0": "", "run/systemd/container": "\n"})
    assert read_container({"container": ""}, tmp_path) is None


@pytest.mark.parametrize(
    ("device", "there"),
    [("nvidia0", True), ("nvidia3", True), ("dxg", True), ("nvidiactl", False)],
)
def test_a_container_with_a_gpu(device: str, there: bool, tmp_path: Path) -> None:
    put(tmp_path, {".dockerenv": "", f"dev/{device}": ""})
    assert read_container({}, tmp_path) == Container(kind="docker", gpu_device=there)
