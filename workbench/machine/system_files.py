"""Small files of the kernel and the system; what cannot be read is empty."""

from pathlib import Path


def read_text(path: Path) -> str:
    """Return the text of a file; "" where it cannot be read."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def list_folder(folder: Path) -> list[Path]:
    """Return the entries of a folder; [] where it cannot be read."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []
