"""The end of a run that somebody watches: bell, desktop notification, a command; its title."""

import os
import subprocess
from dataclasses import dataclass

from workbench.machine.terminal_signals import BELL, notification
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.summary import RunSummary
from workbench.settings import NotificationSettings
from workbench.text import safe_text
from workbench.words import reason_of, shown

COMMAND_SECONDS = 60.0  # for the command of a person


@dataclass(frozen=True)
class RunEnd:
    """How a run ended.

    Attributes:
        run: its name.
        state: "finished", "failed", "stopped" ...
        seconds: that it took; None if that is not known, which counts as long.
        folder: of the run.
    """

    run: str
    state: str
    seconds: float | None
    folder: str

    def is_worth(self, settings: NotificationSettings) -> bool:
        """Return whether it took as long as a person asks for."""
        return self.seconds is None or self.seconds >= settings.after

    def describe(self) -> str:
        """Return a sentence, safe to print."""
        return tr(
            "{run}: {state}", run=safe_text(self.run, 64), state=shown(safe_text(self.state, 20))
        )


def end_of(summary: RunSummary, workspace: Workspace) -> RunEnd:
    """Return the end of a run from its summary."""
    known = summary.started is not None and summary.last_sign is not None
    seconds = (summary.last_sign or 0) - (summary.started or 0) if known else None
    folder = str(workspace.runs / summary.name)
    return RunEnd(summary.name, summary.state.phase, seconds, folder)


def terminal_signals(end: RunEnd, settings: NotificationSettings) -> str:
    """Return what to send to the terminal at the end of a run; tmux may be asked."""
    if not end.is_worth(settings):
        return ""
    bell = BELL if settings.bell else ""
    return bell + (notification("workbench", end.describe()) if settings.osc else "")


def run_command(command: str, end: RunEnd) -> str:
    """Run a person's command once; return what went wrong, "" if nothing did.

    The run's name, state and folder are in its environment. It takes up to a minute: call it in a
    thread where somebody waits.
    """
    environment = {
        **os.environ,
        "WORKBENCH_RUN": end.run,
        "WORKBENCH_STATE": end.state,
        "WORKBENCH_RUN_FOLDER": end.folder,
    }
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_SECONDS,
        )
    except subprocess.TimeoutExpired:
        reason = tr("it took more than {seconds:.0f} s", seconds=COMMAND_SECONDS)
    except OSError as error:
        reason = safe_text(reason_of(error))
    else:
        if not done.returncode:
            return ""
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        reason = tr("exit code {code}", code=done.returncode) + (
            f", {safe_text(said)}" * bool(said)
        )
    return tr(
        "The command at the end of {run} failed: {reason}.", run=safe_text(end.run, 64),
        reason=reason,
    )  # fmt: skip


def describe_title(summary: RunSummary) -> str:
    """Return a terminal's title for a run: its state and progress, safe to print."""
    phase = shown(summary.state.phase)
    total = summary.epochs_total
    done = tr("epoch {done}/{total}", done=summary.epochs_done, total=total) if total else ""
    return " ".join(part for part in (f"{safe_text(summary.name, 64)}:", phase, done) if part)
