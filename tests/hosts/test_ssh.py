"""ssh as it is called: without questions, with limits, over a socket that is private."""

import stat
from pathlib import Path

import pytest
from ssh_server import put_command

from workbench.hosts import ssh
from workbench.hosts.ssh import HostError, run_script, ssh_command


def options(address: str = "gpu-07") -> dict[str, str]:
    program, *words = ssh_command(address)
    assert program == "ssh"
    assert set(words[::2]) == {"-o"}
    return dict(word.split("=", 1) for word in words[1::2])


def test_it_asks_nothing_and_forwards_nothing() -> None:
    given = options()
    assert given["BatchMode"] == "yes"
    assert given["ConnectTimeout"] == "10"
    assert given["ForwardAgent"] == "no"
    assert given["ClearAllForwardings"] == "yes"
    assert given["RemoteCommand"] == "none"
    assert "StrictHostKeyChecking" not in given  # the person's own choice


def test_connections_are_shared_over_a_private_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "_MAX_SOCKET", 300)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    given = options()
    socket = Path(given["ControlPath"])
    assert (given["ControlMaster"], given["ControlPersist"]) == ("auto", "60")
    assert socket.parent == tmp_path / "workbench-ssh"
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert options("gpu-08")["ControlPath"] != given["ControlPath"]

    monkeypatch.setattr(ssh, "_MAX_SOCKET", len(str(socket)))
    assert options() == given
    monkeypatch.setattr(ssh, "_MAX_SOCKET", len(str(socket)) - 1)
    assert options()["ControlPath"] == "none"

    monkeypatch.setattr(ssh, "_MAX_SOCKET", 300)
    socket.parent.chmod(0o750)
    assert options()["ControlPath"] == "none"
    socket.parent.rmdir()
    (tmp_path / "real").mkdir(mode=0o700)
    socket.parent.symlink_to("real")
    assert options()["ControlPath"] == "none"


def test_a_script_is_no_word_of_a_command_line(commands: Path) -> None:
    put_command(commands, "ssh", '#!/bin/sh\nprintf "%s|" "$@" | tail -c 22\ncat\n')
    answer = run_script("gpu-07", "echo $(secret)", 1000)
    assert answer == b"|--|gpu-07|exec sh -s|echo $(secret)"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo first >&2; echo 'Permission denied (publickey).' >&2; exit 255", "Permission den"),
        ("printf 'Host \\033[31mkey\\n' >&2; exit 255", r"Host \\e\[31mkey"),
        ("exit 0", "it answered nothing"),
        ("exec yes", "it sent more than 1.0 kB"),
        ("exec tail -f /dev/null", "no answer for 0 seconds"),
    ],
)
def test_what_goes_wrong_is_one_line(
    commands: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    monkeypatch.setattr(ssh, "SILENCE_SECONDS", 0.3)
    put_command(commands, "ssh", f"#!/bin/sh\n{script}\n")
    with pytest.raises(HostError, match=reason) as caught:
        run_script("gpu-07", "", 1000)
    assert "\n" not in str(caught.value)


def test_waiting_can_be_cancelled(commands: Path) -> None:
    put_command(commands, "ssh", "#!/bin/sh\nexec tail -f /dev/null\n")
    with pytest.raises(HostError, match="stopped"):
        run_script("gpu-07", "", 1000, cancelled=lambda: True)


def test_without_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="ssh is not installed on this machine"):
        run_script("gpu-07", "", 1000)
