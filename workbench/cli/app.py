"""`workbench` alone: the guided terminal app."""

import os
import sys

from workbench.paths import Workspace


def can_open() -> bool:
    """True where there is a terminal to draw on and to type in."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def open_app(workspace: Workspace, low_bandwidth: bool) -> int:
    """Opens the app; returns the exit code when the person leaves it."""
    from workbench.ui.app import WorkbenchApp

    app = WorkbenchApp(workspace, low_bandwidth)
    app.run()
    return app.return_code or 0
