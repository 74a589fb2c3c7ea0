"""The app in a real terminal that closes: in tmux, as people use it over SSH."""

import os
import pty
import shlex
import shutil
import signal
import subprocess
import termios
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
from person import Person, signal_worker
from waiting import wait_until

from workbench.runs.folder import RunFolder
from workbench.runs.launch import follow, request_stop

pytestmark = [
    pytest.mark.worker,
    pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed"),
]


@dataclass
class Tmux:
    """A tmux server with the app in its only pane."""

    socket: str

    def __call__(self, *words: str) -> str:
        command = ["tmux", "-S", self.socket, "-f", "/dev/null", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def screen(self) -> str:
        return self("capture-pane", "-p")

    def press(self, key: str) -> None:
        self("send-keys", key)

    def until(self, words: str, what: str = "") -> None:
        """Wait until the pane shows a text."""
        wait_until(lambda: words in self.screen(), what or words)

    def attach(self) -> "tuple[subprocess.Popen[bytes], int]":
        """Attach a client in a terminal of its own, as over SSH, with room for the status line."""
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (30, 100))
        client = subprocess.Popen(
            ["tmux", "-S", self.socket, "attach"],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color"},
        )  # fmt: skip
        os.close(slave)
        return client, master


@pytest.fixture
def tmux(person: Person) -> Iterator[Tmux]:
    server = Tmux(str(person.workspace / "tmux"))
    variables = [
        f"-e{name}={person.environment[name]}" for name in ("WORKBENCH_HOME", "PYTHONPATH")
    ]
    app = shlex.join(["env", "LC_ALL=C.UTF-8", *person.command()])
    server("new-session", "-d", "-x", "80", "-y", "24", *variables, app)
    yield server
    with suppress(subprocess.CalledProcessError):
        server("kill-server")


def test_app_and_training_outlive_the_terminal(person: Person, tmux: Tmux) -> None:
    tmux.until("No runs yet in")
    client, terminal = tmux.attach()
    assert os.read(terminal, 1)  # it draws
    tmux.press("D")
    tmux.until("Train two small networks")
    tmux.press("y")
    tmux.until("epoch", "the demo in training")
    run = RunFolder(person.workspace / "saved_models" / "demo-dense-1")
    signal_worker(run, signal.SIGSTOP)  # it does not end before the app
    os.close(terminal)  # the connection breaks
    client.wait()
    tmux.until("epoch")  # the app is still there
    client, terminal = tmux.attach()
    seen = b""
    while b"demo-dense-1" not in seen:  # the new client gets the whole screen
        seen += os.read(terminal, 65536)

    assert not run.model_path.exists()
    tmux("kill-pane")
    client.wait()
    os.close(terminal)
    signal_worker(run, signal.SIGCONT)
    events = [event.event for event in follow(run)]
    assert events[-1] == "finished"
    assert run.model_path.exists()
    queued = RunFolder(person.workspace / "saved_models" / "demo-convnet-1")
    request_stop(queued)
    assert [event.event for event in follow(queued)][-1] in ("stopped", "finished")
