"""Containers with their limits, and logind's settings, read from small trees of files."""

import os
import pwd
from pathlib import Path

import pytest
from machine_facts import put

from workbench.machine import environment as module
from workbench.machine.environment import (
    CgroupLimits,
    query_bus,
    read_container,
    read_limits,
    read_session,
)
from workbench.machine.host import read_system
from workbench.machine.host_facts import Container, LoginSession

GIB = 1 << 30


V2 = "0::/user.slice/job.scope\n"
GROUP = "sys/fs/cgroup/user.slice/job.scope"
ME = pwd.getpwuid(os.getuid()).pw_name


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


def no_bus() -> str:
    return ""


def bus(kill: str, only: str = "[]", excluded: str = "[]") -> str:
    return (
        f'{{"type":"b","data":{kill}}}\n'
        f'{{"type":"as","data":{only}}}\n'
        f'{{"type":"as","data":{excluded}}}\n'
    )


@pytest.fixture
def booted(tmp_path: Path) -> Path:
    """A host that systemd started."""
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def anna(monkeypatch: pytest.MonkeyPatch) -> None:
    """This user is called anna, who is not root."""
    entry = pwd.struct_passwd(("anna", "x", 1000, 1000, "", "/home/anna", "/bin/sh"))
    monkeypatch.setattr(module.pwd, "getpwuid", lambda uid: entry)


def killed(root: Path, printed: str = "") -> bool:
    return read_session({}, root, lambda: printed).kill_user_processes


def test_without_systemd_nothing_ends_at_logout(tmp_path: Path) -> None:
    assert read_session({}, tmp_path, lambda: bus("true")) == LoginSession()


@pytest.mark.usefixtures("anna")
def test_logind_itself_takes_precedence(booted: Path) -> None:
    put(booted, {"etc/systemd/logind.conf": "[Login]\nKillUserProcesses=no\n"})
    assert killed(booted, bus("true"))
    assert not killed(booted, bus("false"))
    assert not killed(booted, bus("true", excluded='["root", "anna"]'))
    assert not killed(booted, bus("true", only='["berta"]'))
    assert killed(booted, bus("false", only='["anna"]'))
    assert not killed(booted, bus("false", only='["anna"]', excluded='["anna"]'))


@pytest.mark.usefixtures("anna")
@pytest.mark.parametrize("printed", ["", "Failed to connect", "{}\n" * 3, bus('"yes"'), bus("1")])
def test_where_logind_does_not_respond_its_files_count(printed: str, booted: Path) -> None:
    assert not killed(booted, printed)
    put(booted, {"etc/systemd/logind.conf": "[Login]\nKillUserProcesses=yes\n"})
    assert killed(booted, printed)


@pytest.mark.usefixtures("anna")
def test_files_in_the_order_of_systemd(booted: Path) -> None:
    yes, no = "[Login]\nKillUserProcesses=yes\n", "[Login]\nKillUserProcesses=no\n"
    put(booted, {"usr/lib/systemd/logind.conf": yes})
    assert killed(booted)
    put(booted, {"etc/systemd/logind.conf": "[Login]\n#KillUserProcesses=yes\n"})
    assert not killed(booted)  # one main file only
    put(booted, {"usr/lib/systemd/logind.conf.d/50-kill.conf": yes})
    assert killed(booted)
    put(booted, {"run/systemd/logind.conf.d/60-spare.conf": no})
    assert not killed(booted)  # the last name
    put(booted, {"etc/systemd/logind.conf.d/60-spare.conf": "[Login]\n"})
    assert killed(booted)  # hides its namesake
    put(booted, {"etc/systemd/logind.conf.d/70-other.conf": "[Sleep]\nKillUserProcesses=no\n"})
    put(booted, {"etc/systemd/logind.conf.d/80-other.txt": no})
    assert killed(booted)


@pytest.mark.usefixtures("anna")
def test_lists_of_users_in_files(booted: Path) -> None:
    main = "[Login]\nKillUserProcesses = on\nKillExcludeUsers=berta\nKillExcludeUsers=anna carla\n"
    put(booted, {"etc/systemd/logind.conf": main})
    assert not killed(booted)
    put(booted, {"etc/systemd/logind.conf.d/1.conf": "[Login]\nKillExcludeUsers=\n"})
    assert killed(booted)


def test_root_is_excluded_by_default(booted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = pwd.struct_passwd(("root", "x", 0, 0, "", "/root", "/bin/sh"))
    monkeypatch.setattr(module.pwd, "getpwuid", lambda uid: entry)
    put(booted, {"etc/systemd/logind.conf": "[Login]\nKillUserProcesses=1\n"})
    assert not killed(booted)
    assert not killed(booted, bus("true"))
    put(booted, {"etc/systemd/logind.conf.d/1.conf": "[Login]\nKillExcludeUsers=\n"})
    assert killed(booted)


@pytest.mark.parametrize(
    ("cgroup", "scope"),
    [
        ("0::/user.slice/user-1000.slice/session-3.scope\n", "session"),
        ("0::/user.slice/user-1000.slice/session-c12.scope\n", "session"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-u5.scope\n", "user"),
        ("1:name=systemd:/user.slice/user-1000.slice/session-3.scope\n0::/\n", "session"),
        ("0::/system.slice/ssh.service\n", "other"),
        ("", "other"),
    ],
)
def test_where_this_process_runs(cgroup: str, scope: str, booted: Path) -> None:
    put(booted, {"proc/self/cgroup": cgroup})
    assert read_session({}, booted, no_bus).scope == scope


def test_lingering(booted: Path) -> None:
    assert not read_session({}, booted, no_bus).linger
    put(booted, {f"var/lib/systemd/linger/{ME}": ""})
    printed = read_session({}, booted, no_bus)
    assert printed.systemd
    assert printed.linger


def test_a_user_without_an_entry(booted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(module.pwd, "getpwuid", nobody)
    put(booted, {"var/lib/systemd/linger/anna": ""})
    assert read_session({"USER": "anna"}, booted, no_bus).linger
    assert not read_session({}, booted, no_bus).linger


def write_program(folder: Path, name: str, script: str) -> None:
    put(folder, {name: f"#!/bin/sh\n{script}\n"})
    (folder / name).chmod(0o755)


def test_the_bus_is_queried_for_all_three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_program(tmp_path, "busctl", 'echo "$@"')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert query_bus().split() == [
        "--json=short",
        "get-property",
        "org.freedesktop.login1",
        "/org/freedesktop/login1",
        "org.freedesktop.login1.Manager",
        "KillUserProcesses",
        "KillOnlyUsers",
        "KillExcludeUsers",
    ]


@pytest.mark.parametrize("script", ["echo half; exit 1", "exec sleep 600", None])
def test_a_bus_that_does_not_respond(
    script: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUS_SECONDS", 0.3)
    if script:
        write_program(tmp_path, "busctl", script)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    else:
        monkeypatch.setenv("PATH", str(tmp_path))
    assert query_bus() == ""
