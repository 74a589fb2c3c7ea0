"""The rail of a new experiment: Machine ✓  Data ✓  [Strategy]  Layers  Train  Results."""

from collections.abc import Collection

from rich.text import Text

from workbench.text import safe_text

RAIL = ("Machine", "Data", "Strategy", "Layers", "Train", "Results")
_NAME_WIDTH = 14  # cells, so that name and rail fit into 80


def rail(current: str, settled: Collection[str], utf8: bool = True) -> Text:
    """The steps in a row, 58 cells at most.

    Args:
        current: the step on the screen, "data"; it stands in brackets.
        settled: the steps that are done with, in lower case.
    """
    done = "✓" if utf8 else "+"
    text = Text()
    for number, step in enumerate(RAIL):
        text.append("  " if number else "")
        if step.lower() == current:
            text.append(f"[{step}]", style="bold")
        elif step.lower() in settled:
            text.append(f"{step} {done}")
        else:
            text.append(step, style="dim")
    return text


def rail_heading(name: str, current: str, settled: Collection[str], utf8: bool = True) -> Text:
    """The heading line of a wizard's screen: what the experiment is about, and the rail.

    Args:
        name: from outside; made safe here.
    """
    shown = safe_text(name, _NAME_WIDTH)
    text = Text(f"{shown:<{_NAME_WIDTH}}", style="bold")
    return text.append("  ").append_text(rail(current, settled, utf8))
