"""The names of stages for people. Pure.

A plan names its stages in English, and so does the log of a run; they are translated where they are
shown.
"""

from workbench.messages import tr
from workbench.text import cell_width

HEAD_FIRST = "head first"  # the stage before blocks of the base train
_TITLES = {
    "train all": tr("train all"),
    "solve the linear probe": tr("solve the linear probe"),
    "solve the head": tr("solve the head"),
    "head on the frozen base": tr("head on the frozen base"),
    HEAD_FIRST: tr("head first"),
}
_DOWN_TO, _AND = "head down to ", "head and "


def stage_title(name: str, room: int = 0) -> str:
    """Return the name of a stage in the language of the reader; another name stays as it is.

    Args:
        name: of the plan, or of the log of a run.
        room: cells; of more blocks than have room only the first and the last are named. 0: any.
    """
    if name.startswith(_DOWN_TO):
        return tr("head down to {block}", block=name.removeprefix(_DOWN_TO))
    if name.startswith(_AND):
        blocks = name.removeprefix(_AND)
        title = tr("head and {blocks}", blocks=blocks)
        first, *rest = blocks.split(", ")
        if not rest or not room or cell_width(title) <= room:
            return title
        return tr("head and {blocks}", blocks=f"{first} … {rest[-1]}")
    return _TITLES.get(name, name)
