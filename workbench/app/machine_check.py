"""The machine check in a thread, seen by every screen that looks."""

import threading
import time
from dataclasses import dataclass, replace

from workbench.machine import check as machine_check
from workbench.machine.check import Report
from workbench.paths import Workspace
from workbench.text import safe_text


@dataclass(frozen=True)
class CheckState:
    """Where the check of an app stands.

    Attributes:
        report: the last one, None before the first.
        when: unix seconds at which it came.
        error: why the last check gave none, "" where it did.
        phase: what is being asked, "" where nothing is.
        step, steps: how far it is.
    """

    report: Report | None = None
    when: float = 0.0
    error: str = ""
    phase: str = ""
    step: int = 0
    steps: int = 0

    @property
    def busy(self) -> bool:
        """True while the box is asked."""
        return bool(self.phase)


class Checkup:
    """The check of one app. It outlives the screen, so that leaving loses nothing."""

    def __init__(self) -> None:
        self.state = CheckState()

    def start(self, workspace: Workspace, measure: bool) -> None:
        """Begins to ask the box, unless that is being done already.

        In a daemon thread: a probe that hangs takes up to its limit, and quitting the app must
        not wait for it.
        """
        if self.state.busy:
            return
        self.state = replace(self.state, error="", phase="ask the box", step=0, steps=0)
        threading.Thread(target=self._run, args=(workspace, measure), daemon=True).start()

    def _run(self, workspace: Workspace, measure: bool) -> None:
        try:
            report = machine_check.check(workspace, measure=measure, progress=self._progress)
        except Exception as error:  # of whatever kind: it is shown, and the app goes on
            told = f"{type(error).__name__}: {error}"
            self.state = replace(self.state, error=safe_text(told, 400), phase="")
        else:
            self.state = CheckState(report, time.time())

    def _progress(self, phase: str, done: int, total: int) -> None:
        self.state = replace(self.state, phase=phase, step=min(done + 1, total), steps=total)
