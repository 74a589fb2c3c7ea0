"""Tiny real pictures for the tests of this room."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image


def photo(seed: int, width: int = 24, height: int = 20) -> Image.Image:
    """A smooth colour picture; each seed gives another one."""
    rough = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    return Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC)


def write_photo(path: Path, seed: int, width: int = 24, height: int = 20) -> Path:
    """Writes such a picture; the ending chooses the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    photo(seed, width, height).save(path)
    return path


def class_folders(root: Path, **counts: int) -> Path:
    """root/<label>/<number>.png, no two alike."""
    seed = 0
    for label, count in counts.items():
        for number in range(count):
            seed += 1
            write_photo(root / label / f"{number}.png", seed)
    return root


def stop_at(phase: str, number: int) -> Callable[[str, int, int], None]:
    """A Progress that interrupts like Ctrl-C once `number` units of a phase are done."""

    def progress(now: str, done: int, total: int) -> None:
        if now == phase and done >= number:
            raise KeyboardInterrupt

    return progress
