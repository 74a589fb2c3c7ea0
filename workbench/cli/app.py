"""`workbench` without a command: the guided terminal app."""

import os
import sys

from workbench.paths import Workspace
from workbench.text import use_utf8


def can_open() -> bool:
    """Return True if there is a terminal to draw on and to type in.

    Textual draws on stderr and reads from stdin; stdout belongs to the same terminal.
    """
    streams = (sys.stdin, sys.stdout, sys.stderr)
    terminal = all(stream is not None and stream.isatty() for stream in streams)
    return terminal and os.environ.get("TERM") != "dumb"


def open_app(workspace: Workspace, low_bandwidth: bool) -> int:
    """Open the app; return its exit code."""
    from workbench.ui.app import WorkbenchApp

    use_utf8(sys.__stderr__)  # in UTF-8; the app draws ASCII if the locale has no more
    app = WorkbenchApp(workspace, low_bandwidth)
    app.run()
    return app.return_code or 0
