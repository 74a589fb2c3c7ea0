"""The names of what a process does, for people. Pure.

Processes report the phase of their work as a word of English, which a run's log keeps; it is
translated where it is shown.
"""

from workbench.messages import tr
from workbench.runs.events import PREFIX_PHASE, WAITING_PHASE

_TITLES = {
    PREFIX_PHASE: tr("frozen prefix"),
    "ask the machine": tr("ask the machine"),
    "compare": tr("compare images"),
    "cross-validation": tr("cross-validation"),
    "evaluate": tr("evaluate"),
    "pack": tr("pack the images"),
    "predict": tr("predict"),
    "rank": tr("rank the images"),
    "scan": tr("scan"),
    "start": tr("start"),
    "train": tr("train"),
}


def work_title(phase: str) -> str:
    """Return the phase of a work in the language of the reader; another one stays as it is."""
    if phase.startswith(WAITING_PHASE):
        return tr("wait for {what}", what=phase.removeprefix(WAITING_PHASE))
    return _TITLES.get(phase, phase)
