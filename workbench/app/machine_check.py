"""The machine check in a background thread, shown by every screen that polls it."""

import threading
import time
from dataclasses import dataclass, replace

from workbench.machine import check as machine_check
from workbench.machine.check import MachineReport
from workbench.paths import Workspace
from workbench.text import safe_text


@dataclass(frozen=True)
class CheckState:
    """The state of the check.

    Attributes:
        report: the last one, None before the first.
        when: unix seconds of the report.
        error: why the last check failed, "" if it did not.
        phase: the current question, "" if no check is running.
        step, steps: its progress.
    """

    report: MachineReport | None = None
    when: float = 0.0
    error: str = ""
    phase: str = ""
    step: int = 0
    steps: int = 0

    @property
    def busy(self) -> bool:
        """True while a check is running."""
        return bool(self.phase)


class MachineCheck:
    """The check of one app. It outlives the screen, so leaving the screen loses nothing."""

    def __init__(self) -> None:
        self.state = CheckState()

    def start(self, workspace: Workspace, measure: bool) -> None:
        """Start a check, unless one is running.

        In a daemon thread: a probe that hangs takes up to its limit, and quitting the app must
        not wait for it.
        """
        if self.state.busy:
            return
        self.state = replace(self.state, error="", phase="ask the machine", step=0, steps=0)
        threading.Thread(target=self._run, args=(workspace, measure), daemon=True).start()

    def _run(self, workspace: Workspace, measure: bool) -> None:
        try:
            report = machine_check.check(workspace, measure=measure, progress=self._progress)
        except Exception as error:  # any kind: it is shown, and the app continues
            message = safe_text(f"{type(error).__name__}: {error}", 400)
            self.state = replace(self.state, error=message, phase="")
        else:
            self.state = CheckState(report, time.time())

    def _progress(self, phase: str, done: int, total: int) -> None:
        self.state = replace(self.state, phase=phase, step=min(done + 1, total), steps=total)
