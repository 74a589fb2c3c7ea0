"""The rail of a new experiment: Machine ✓  Data ✓  [Strategy]  Layers  Train  Results."""

from collections.abc import Collection

from rich.text import Text

from workbench.text import safe_text

RAIL = ("Machine", "Data", "Strategy", "Layers", "Train", "Results")
_NAME_WIDTH = 14  # cells, so that name and rail fit in 80


def rail(current: str, completed: Collection[str], utf8: bool = True) -> Text:
    """Return the steps in a row, 58 cells at most.

    Args:
        current: the step on the screen, "data"; shown in brackets.
        completed: the steps that are done, in lower case.
        utf8: whether the check mark is shown.
    """
    done = "✓" if utf8 else "+"
    text = Text()
    for number, step in enumerate(RAIL):
        text.append("  " if number else "")
        if step.lower() == current:
            text.append(f"[{step}]", style="bold")
        elif step.lower() in completed:
            text.append(f"{step} {done}")
        else:
            text.append(step, style="dim")
    return text


def rail_heading(name: str, current: str, completed: Collection[str], utf8: bool = True) -> Text:
    """Return the heading line of a step: the name of the experiment, and the rail.

    Args:
        name: from outside; made safe here.
        current: see `rail`.
        completed: see `rail`.
        utf8: see `rail`.
    """
    shown = safe_text(name, _NAME_WIDTH)
    text = Text(f"{shown:<{_NAME_WIDTH}}", style="bold")
    return text.append("  ").append_text(rail(current, completed, utf8))
