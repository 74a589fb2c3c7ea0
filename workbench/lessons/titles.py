"""The names of what a lesson compares, for people. Pure.

Results keep the names of their variants in English; they are translated where they are shown.
"""

import re

from workbench.messages import tr

_TITLES = {
    "none": tr("none"), "both": tr("both"), "dropout": tr("dropout"),
    "augmentation": tr("augmentation"), "pooling": tr("pooling"), "no pooling": tr("no pooling"),
    "cached": tr("cached"), "streamed": tr("streamed"), "own": tr("own"),
    "head first": tr("head first"), "at once": tr("together"), "head alone": tr("head alone"),
    "upper blocks": tr("upper blocks"), "lower blocks": tr("lower blocks"),
    "everything": tr("everything"), "never frozen": tr("never frozen"),
    "frozen, compiled": tr("frozen, compiled"),
    "frozen, compile forgotten": tr("frozen, compile forgotten"),
    "frozen before the first step": tr("frozen before the first step"),
    "thawed, compiled": tr("thawed, compiled"),
    "thawed, compile forgotten": tr("thawed, compile forgotten"),
    "trains": tr("trains"), "frozen": tr("frozen"), "border": tr("border"), "middle": tr("middle"),
    # heads of columns
    "accuracy": tr("accuracy"), "range": tr("range"), "training": tr("on training"),
    "gap": tr("gap"), "parameters": tr("parameters"), "seconds": tr("seconds"), "way": tr("way"),
    "requested": tr("requested"), "moved": tr("moved"),
}  # fmt: skip
_PER_CLASS = re.compile(r"(\d+) a class")


def lesson_title(name: str) -> str:
    """Return the name of a variant or of a column in the language of the reader."""
    if found := _PER_CLASS.fullmatch(name):
        return tr("{size} a class", size=found[1])
    return _TITLES.get(name, name)
