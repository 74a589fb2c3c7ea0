"""Machines for tests: this one behind a stand-in for ssh, and behind a real sshd on loopback.

Both take the place of the command `ssh` on the PATH, so that rsync uses them too.
"""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from waiting import wait_until

from workbench.paths import Workspace

needs_rsync = pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
# Drops its options and the host, and lets a shell of this machine do the rest.
STAND_IN = """#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in
    -o | -l) shift 2 ;;
    -*) shift ;;
    *) break ;;
  esac
done
case $1 in down) echo "ssh: connect to host down port 22: Connection refused" >&2; exit 255 ;; esac
shift
exec sh -c "$*"
"""
_CONFIG = """
Host far nokey
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known
  StrictHostKeyChecking accept-new
Host far
  IdentityFile {folder}/key
Host nokey
  IdentityFile {folder}/none
Host closed
  HostName 127.0.0.1
  Port {closed}
"""
_SERVER = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""


def put_command(folder: Path, name: str, script: str) -> None:
    """Make a command in a folder of the PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(script)
    path.chmod(0o755)


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first folder of the PATH, with a stand-in for ssh; the host `down` refuses."""
    folder = tmp_path / "commands"
    put_command(folder, "ssh", STAND_IN)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def there(tmp_path: Path) -> Workspace:
    """A workspace on the other machine, whose name a shell would read."""
    return Workspace(tmp_path / "it's $(touch pwned) there")


@contextmanager
def sshd(folder: Path) -> Iterator[Path]:
    """Run a server; yield a folder with a command `ssh` that knows far, nokey and closed."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if program is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("openssh-server or openssh-client is not installed")
    with suppress(OSError):
        Path("/run/sshd").mkdir(exist_ok=True)  # as root it wants this empty folder
    for name in ("host", "key", "none"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        port, closed = one.getsockname()[1], other.getsockname()[1]
    values = {"port": port, "closed": closed, "folder": folder, "user": _user()}
    (folder / "server").write_text(_SERVER.format(**values))
    (folder / "config").write_text(_CONFIG.format(**values))
    ssh = shutil.which("ssh")
    put_command(folder / "bin", "ssh", f'#!/bin/sh\nexec {ssh} -F {folder}/config "$@"\n')
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [program, "-D", "-e", "-f", str(folder / "server")], stderr=output, stdout=output
        )
    try:
        wait_until(
            lambda: "listening on" in log.read_text() or server.poll() is not None, "the server"
        )
        if server.poll() is not None:
            pytest.skip(f"sshd does not start here: {log.read_text().strip()[-200:]}")
        yield folder / "bin"
    finally:
        server.terminate()
        server.wait()


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name
