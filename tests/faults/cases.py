"""Faults at certain moments of a run, and how it has to end: the specification of exact resume.

Every case ends in one of three ways. FINISHED: the session continues unaffected, to the same
results. RESUMED: it ends, and `resume` gives the results of an undisturbed run, bit by bit.
REFUSED: it ends, and `resume` explains why it cannot continue. How the first session ends and what
it reports belongs to the fault (`faults.FAULTS`), unless a row overrides it.
"""

from dataclasses import dataclass
from enum import Enum, auto

from everything import EVERYTHING


class Ending(Enum):
    """How a case may end."""

    FINISHED = auto()
    RESUMED = auto()
    REFUSED = auto()


FINISHED, RESUMED, REFUSED = Ending


@dataclass(frozen=True)
class Case:
    """A row.

    Attributes:
        moment: of `moments.MOMENTS`.
        ending: one of the three.
        spec: of `specs.SPECS`.
        ends: how the first session ends, if not as the fault defines.
        message: part of the messages of all sessions, if not as the fault defines.
        quick: True for those that run always; all of them run with FAULTS=all.
    """

    fault: str
    moment: str
    ending: Ending
    spec: str = "small"
    ends: str | None = None
    message: str | None = None
    quick: bool = False

    @property
    def name(self) -> str:
        """Name of the test case."""
        return f"{self.fault} at {self.moment}, {self.spec}".replace(" ", "-")


CASES = (
    # killed: only the steps since the last checkpoint are lost
    Case("kill", "scan", RESUMED),
    Case("kill", "pack", RESUMED),
    Case("kill", "pack is renamed", RESUMED),
    Case("kill", "manifest", RESUMED),
    Case("kill", "prefix", RESUMED, "full"),
    Case("kill", "view", RESUMED, "full"),
    Case("kill", "before fitted spec", RESUMED, "timed"),
    Case("kill", "after fitted spec", RESUMED, "timed", quick=True),
    Case("kill", "start weights", RESUMED),
    Case("kill", "first batch", RESUMED),
    Case("kill", "mid-epoch", RESUMED),
    Case("kill", "mid-epoch 2", RESUMED, "full"),
    Case("kill", "last step", RESUMED),
    Case("kill", "validation", RESUMED),
    Case("kill", "in best weights", RESUMED),
    Case("kill", "checkpoint", RESUMED),
    Case("kill", "in first checkpoint", RESUMED),
    Case("kill", "in checkpoint", RESUMED),
    Case("kill", "between renames", RESUMED),
    Case("kill", "after checkpoint", RESUMED),
    Case("kill", "stage ended", RESUMED, "full"),
    Case("kill", "stage border", RESUMED, "full"),
    Case("kill", "stage begins", RESUMED, "full", quick=True),
    Case("kill", "stage's first step", RESUMED, "full"),
    Case("kill", "export", RESUMED),
    Case("kill", "model is renamed", RESUMED),
    Case("kill", "evaluation", RESUMED),
    Case("kill", "predictions", RESUMED),
    Case("kill", "results", RESUMED),
    Case("kill", "last event", RESUMED),
    Case("kill", "status is renamed", RESUMED),
    # requested to stop: at the next batch, or at the next progress event outside of training
    Case("SIGTERM", "scan", RESUMED),
    Case("SIGTERM", "pack", RESUMED),
    Case("SIGTERM", "prefix", RESUMED, "full"),
    Case("SIGTERM", "view", RESUMED, "full"),
    Case("SIGTERM", "first batch", RESUMED),
    Case("SIGTERM", "mid-epoch", RESUMED),
    Case("SIGTERM", "mid-epoch", RESUMED, "full"),
    Case("SIGTERM", "validation", RESUMED),
    Case("SIGTERM", "in checkpoint", RESUMED),
    Case("SIGTERM", "between renames", RESUMED),
    Case("SIGTERM", "stage border", RESUMED, "full"),
    Case("SIGTERM", "stage's first step", RESUMED, "full"),
    Case("SIGTERM", "export", RESUMED),
    Case("SIGTERM", "evaluation", RESUMED),
    Case("SIGTERM", "last event", FINISHED, ends="finished"),
    Case("SIGINT", "scan", RESUMED),
    Case("SIGINT", "mid-epoch", RESUMED),
    Case("SIGINT", "last step", RESUMED),
    Case("SIGINT", "export", RESUMED),
    Case("two signals", "scan", RESUMED),
    Case("two signals", "mid-epoch", RESUMED),
    Case("two signals", "in checkpoint", RESUMED),
    Case("two signals", "evaluation", RESUMED),
    # the terminal closes
    Case("SIGHUP", "scan", FINISHED),
    Case("SIGHUP", "mid-epoch", FINISHED, quick=True),
    Case("SIGHUP", "in checkpoint", FINISHED),
    Case("SIGHUP", "prefix", FINISHED, "full"),
    Case("SIGHUP", "export", FINISHED),
    # a disk that is full
    Case("disk full", "scan", RESUMED),
    Case("disk full", "pack", RESUMED),
    Case("disk full", "manifest", RESUMED),
    Case("disk full", "prefix", RESUMED, "full"),
    Case("disk full", "view", RESUMED, "full"),
    Case("disk full", "start weights", RESUMED),
    Case("disk full", "in best weights", RESUMED),
    Case("disk full", "in first checkpoint", RESUMED),
    Case("disk full", "in checkpoint", RESUMED),
    Case("disk full", "between renames", RESUMED),
    Case("disk full", "stage border", RESUMED, "full"),
    Case("disk full", "export", RESUMED),
    Case("disk full", "results", RESUMED),
    Case("disk filled", "pack", RESUMED),
    Case("disk filled", "space", RESUMED, message="free"),
    Case("disk filled", "mid-epoch", RESUMED, quick=True),
    Case("disk filled", "in checkpoint", RESUMED),
    Case("disk filled", "view", RESUMED, "full"),
    Case("disk filled", "export", RESUMED),
    # one that cannot be written
    Case("disk read-only", "in checkpoint", RESUMED),
    Case("disk read-only", "export", RESUMED),
    Case("folder read-only", "mid-epoch", RESUMED, quick=True),
    # memory
    Case("memory", "scan", RESUMED, message="MemoryError"),
    Case("memory", "prefix", RESUMED, "full"),
    Case("memory", "first batch", RESUMED),
    Case("memory", "mid-epoch", RESUMED),
    Case("memory", "validation", RESUMED),
    Case("memory", "in checkpoint", RESUMED),
    Case("memory", "evaluation", RESUMED, message="MemoryError"),
    Case("device memory", "first batch", RESUMED),
    Case("device memory", "mid-epoch", RESUMED),
    Case("device memory", "prefix", RESUMED, "full"),
    # numbers
    Case("NaN", "first batch", RESUMED),
    Case("NaN", "mid-epoch", RESUMED, message="stage 1, epoch 3, step 1"),
    Case("NaN", "stage's first step", RESUMED, "full", message="stage 2, epoch 1, step 0"),
    # unexpected errors
    Case("surprise", "scan", RESUMED),
    Case("surprise", "mid-epoch", RESUMED),
    Case("surprise", "in checkpoint", RESUMED),
    Case("surprise", "between renames", RESUMED),
    Case("surprise", "results", RESUMED),
    # a clock that is set back
    Case("clock back", "scan", FINISHED),
    Case("clock back", "mid-epoch", FINISHED, quick=True),
    # a folder that is moved away, and back
    Case("folder away", "scan", RESUMED),
    Case("folder away", "mid-epoch", RESUMED),
    Case("folder away", "in checkpoint", RESUMED),
    Case("folder away", "export", RESUMED),
    # checkpoints damaged after a kill
    Case("kill, last cut off", "mid-epoch", RESUMED),
    Case("kill, a bit of last", "mid-epoch", RESUMED),
    Case("kill, last empty", "mid-epoch", RESUMED),
    Case("kill, last gone", "mid-epoch", RESUMED),
    Case("kill, last cut off", "stage's first step", RESUMED, "full"),
    Case("kill, both damaged", "mid-epoch", REFUSED, message="can be read", quick=True),
    Case("kill, start weights damaged", "mid-epoch", REFUSED, message="began with"),
    # the log damaged after a kill
    Case("kill, torn log", "mid-epoch", RESUMED),
    Case("kill, garbage in log", "mid-epoch", RESUMED),
    Case("kill, log cut", "mid-epoch", RESUMED),
    Case("kill, log cut", "stage border", RESUMED, "full"),
    # data changed between two sessions
    Case("kill, pack gone", "mid-epoch", RESUMED),
    Case("kill, pack cut off", "mid-epoch", RESUMED),
    Case("kill, data gone", "mid-epoch", RESUMED),
    Case("kill, features gone", "mid-epoch", RESUMED, "full"),
    Case("kill, features gone", "view used again", RESUMED, "full"),
    Case("kill, features damaged", "mid-epoch", RESUMED, "full"),
    Case("kill, image changed", "mid-epoch", RESUMED),  # the pack contains the old one
    Case("kill, image and pack changed", "mid-epoch", REFUSED, quick=True),
    Case("kill, manifest gone", "mid-epoch", REFUSED),
    # the spec changed between two sessions
    Case("kill, spec changed", "mid-epoch", REFUSED, quick=True),
    Case("kill, spec damaged", "mid-epoch", REFUSED),
)


# Runs with another fault in each session, which continues from what the one before left. The first
# sequence is quick, and covers most of the rows above.
SEQUENCES = {
    "many": (
        ("SIGTERM", "scan"),
        ("kill", "pack"),
        ("disk full", "in first checkpoint"),
        ("surprise", "first batch"),
        ("memory", "mid-epoch 2"),
        ("two signals", "first batch"),
        ("kill, torn log", "first batch"),
        ("NaN", "first batch"),
        ("SIGINT", "first batch"),
        ("device memory", "mid-epoch 2"),
        ("folder away", "first batch"),
        ("kill, pack gone", "first batch"),
        ("kill", "between renames"),
        ("disk read-only", "in checkpoint"),
        ("kill, last cut off", "first batch"),
        ("kill", "results"),
    ),
    # a damaged file must not replace an intact one
    "damaged, then killed": (
        ("kill, last cut off", "mid-epoch"),
        ("kill", "between first renames"),
    ),
    "damaged, then no room": (
        ("kill, last cut off", "mid-epoch"),
        ("disk full", "in first checkpoint"),
    ),
    "killed between renames twice": (
        ("kill", "between renames"),
        ("kill", "between first renames"),
    ),
    "stopped again and again": (("SIGTERM", "first batch"),) * 3 + (("SIGTERM", "validation"),) * 2,
    "no room again and again": (("disk full", "in checkpoint"),) * 3,
}


def chosen() -> list[Case]:
    """Return the cases to run: all of them, or the quick ones."""
    return [case for case in CASES if case.quick or EVERYTHING]
