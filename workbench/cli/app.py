"""`workbench` alone: the guided terminal app."""

import os
import sys

from workbench.paths import Workspace
from workbench.printable import make_log


def can_open() -> bool:
    """True where there is a terminal to draw on and to type in.

    Textual draws on stderr and reads from stdin; what goes on stdout is for people too.
    """
    streams = (sys.stdin, sys.stdout, sys.stderr)
    terminal = all(stream is not None and stream.isatty() for stream in streams)
    return terminal and os.environ.get("TERM") != "dumb"


def open_app(workspace: Workspace, low_bandwidth: bool) -> int:
    """Opens the app; returns the exit code when the person leaves it."""
    from workbench.ui.app import WorkbenchApp

    make_log(sys.__stderr__)  # in UTF-8; ASCII alone is drawn where the locale has no more
    app = WorkbenchApp(workspace, low_bandwidth)
    app.run()
    return app.return_code or 0
