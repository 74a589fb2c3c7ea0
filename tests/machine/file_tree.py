"""Small trees of files in place of /proc, /sys, /etc and the rest."""

from pathlib import Path


def put(root: Path, files: dict[str, str]) -> Path:
    """Write small files under a folder."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root
