"""The app as a process: what it imports, and how it ends with its terminal."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path


def test_opening_the_app_imports_no_training() -> None:
    script = (
        "import sys\n"
        "import workbench.ui.app, workbench.cli.group\n"
        "heavy = {'tensorflow', 'keras', 'sklearn', 'torch', 'jax', 'scipy', 'plotext'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_without_a_terminal_help_is_printed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workbench"],
        cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == 0
    assert "Usage: workbench" in done.stdout


def test_a_hang_up_ends_the_app(tmp_path: Path) -> None:
    """The terminal goes away, as when ssh breaks off: nothing is left running."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench", "--workspace", str(tmp_path)],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24",
             "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    os.close(slave)
    try:
        assert _read_until(master, b"No runs yet")
        os.kill(process.pid, signal.SIGHUP)
        os.close(master)
        assert process.wait() == 128 + signal.SIGHUP
    finally:
        process.kill()
        process.wait()


def _read_until(descriptor: int, wanted: bytes) -> bool:
    """Reads what is drawn until it holds something; False where the app ends before."""
    seen = b""
    while wanted not in seen:
        try:
            seen += os.read(descriptor, 65536)
        except OSError:  # nobody draws any more
            return False
    return True
