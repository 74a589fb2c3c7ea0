"""A real SLURM of one machine: controller, node and authentication in a folder of their own.

Needs the packages slurm-wlm and munge of Debian and Ubuntu; root or one ordinary user.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from waiting import wait_until

COMMANDS = ("sbatch", "slurmctld", "slurmd", "munged")
# A node with two GPUs that are no devices; the partition `high` takes them from `low`.
CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0
PriorityType=priority/basic
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=20
JobRequeue=1
ReturnToService=2
GresTypes=gpu
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=4 RealMemory=100 Gres=gpu:2
PartitionName=low Nodes=n1 Default=YES PriorityTier=1 GraceTime=20 PreemptMode=REQUEUE
PartitionName=high Nodes=n1 PriorityTier=2 PreemptMode=OFF
"""


def missing() -> str:
    """Return why there is no SLURM to start; "" if there is."""
    lacking = [name for name in COMMANDS if not _which(name)]
    return f"SLURM is not installed: no {', '.join(lacking)}" if lacking else ""


@contextmanager
def running_cluster() -> Iterator[Path]:
    """Start a SLURM; give the path of its slurm.conf."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # sockets have short paths
    config = folder / "slurm.conf"
    environment = {**os.environ, "SLURM_CONF": str(config)}
    try:
        folder.chmod(0o755)
        for name in ("state", "spool"):
            (folder / name).mkdir()
        config.write_text(
            CONFIG.format(
                host=socket.gethostname().partition(".")[0],
                user=getpass.getuser(),
                folder=folder,
                ports=_free_ports(2),
            )
        )
        devices = "File=/dev/null,/dev/zero"
        (folder / "gres.conf").write_text(f"NodeName=n1 Name=gpu {devices}\n")
        key = folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(os.urandom(1024))
        munge = {
            name: f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "seed", "log")
        }
        _run("munged", "--force", *munge.values(), f"--socket={folder}/munge.socket")
        _run("slurmctld", "-f", str(config), "-c")
        _run("slurmd", "-f", str(config), "-N", "n1")
        wait_until(lambda: _node_state(environment) == "idle")
        yield config
    finally:
        subprocess.run(["scancel", f"--user={getpass.getuser()}"], env=environment, check=False)
        with suppress(AssertionError):
            wait_until(lambda: not _jobs(environment))
        pids = [_pid(folder / f"{name}.pid") for name in ("slurmd", "slurmctld", "munge")]
        for pid in filter(None, pids):
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not any(_is_alive(pid) for pid in pids if pid))
        shutil.rmtree(folder, ignore_errors=True)


def _which(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _run(name: str, *arguments: str) -> None:
    subprocess.run([str(_which(name)), *arguments], check=True)


def _node_state(environment: dict[str, str]) -> str:
    command = ["sinfo", "-h", "-N", "-p", "low", "-o", "%t"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _jobs(environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["squeue", "-h"], env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def _pid(path: Path) -> int | None:
    """Return the process of a pid file; None if it never started."""
    with suppress(OSError, ValueError):
        pid = int(path.read_text())
        return pid if _is_alive(pid) else None
    return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
