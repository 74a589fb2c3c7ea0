"""The small files in which kernel and system tell about themselves; what is missing is nothing."""

from pathlib import Path


def text_of(path: Path) -> str:
    """What a file holds; "" where it cannot be read."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def entries(folder: Path) -> list[Path]:
    """What lies in a folder; [] where it cannot be read."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []
