"""The names of stages for people. Pure.

A plan names its stages in English, and so does the log of a run; they are translated where they are
shown.
"""

from workbench.messages import tr

HEAD_FIRST = "head first"  # the stage before blocks of the base train
_TITLES = {
    "train all": tr("train all"),
    "solve the linear probe": tr("solve the linear probe"),
    "solve the head": tr("solve the head"),
    "head on the frozen base": tr("head on the frozen base"),
    HEAD_FIRST: tr("head first"),
}
_DOWN_TO, _AND = "head down to ", "head and "


def stage_title(name: str) -> str:
    """Return the name of a stage in the language of the reader; another name stays as it is."""
    if name.startswith(_DOWN_TO):
        return tr("head down to {block}", block=name.removeprefix(_DOWN_TO))
    if name.startswith(_AND):
        return tr("head and {blocks}", blocks=name.removeprefix(_AND))
    return _TITLES.get(name, name)
