"""The phase of a run, and moments in a sentence; what all descriptions of states share."""

from dataclasses import dataclass
from datetime import datetime

from workbench.messages import tr


@dataclass(frozen=True)
class RunState:
    """The state of a run.

    Attributes:
        phase: starting, waiting (for another run or process, or for a job to start), preparing,
            training, evaluating, finished, stopped, pruned (given up by its sweep), failed, or
            interrupted: the worker ended without a final event.
        resumable: True if `launch(folder, resume=True)` would continue it or start it over.
        description: what it does or how it ended, safe to print.
        resume: what a resume would do; "" if there is nothing to resume.
        other_host: the machine of the newest session if that has no final event and no lock here
            shows whether it has ended: a person has to confirm it.
    """

    phase: str
    resumable: bool
    description: str
    resume: str = ""
    other_host: str = ""

    @property
    def detail(self) -> str:
        """Both in one line: "killed or crashed at 03:12; resume continues at epoch 5"."""
        if not (self.description and self.resume):
            return self.description or self.resume
        return tr(
            "{description}; resume {resume}", description=self.description, resume=self.resume
        )


def describe_time(moment: float | None, now: float) -> str:
    """Format a time: "at 03:12", of another day "on 2026-02-24 at 03:12"; "" if unknown."""
    if moment is None:
        return ""
    try:
        time, today = datetime.fromtimestamp(moment), datetime.fromtimestamp(now).date()
    except (ValueError, OverflowError, OSError):  # outside of the calendar
        return ""
    return (
        tr("at {time:%H:%M}", time=time)
        if time.date() == today
        else tr("on {time:%Y-%m-%d} at {time:%H:%M}", time=time)
    )
