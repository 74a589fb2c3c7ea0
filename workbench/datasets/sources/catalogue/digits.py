"""Scikit-learn's 1,797 handwritten digits as images: a data set that needs no network.

They are 8x8 counts of ink from 0 to 16 (E. Alpaydin and C. Kaynak, "Optical Recognition of
Handwritten Digits", UCI Machine Learning Repository, 1998; the test part). Here they are converted
to MNIST's form: 28x28 grey images, the digit enlarged smoothly to 20x20 in the middle, white on
black. MNIST centres by mass; these are centred as they were framed.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from workbench.errors import UserError
from workbench.progress import Progress
from workbench.text import safe_text

IMAGES = 1797
_MAX_INK = 16
_DIGIT, _IMAGE = 20, 28
_MARGIN = (_IMAGE - _DIGIT) // 2
_TIMEOUT = 180  # seconds; the import takes 3 to 4, from a cold network disk far more

# In a separate process: the import is slow, and this one may serve a terminal.
_LOAD = """
import sys, numpy
from sklearn.datasets import load_digits
digits = load_digits()
numpy.savez(sys.argv[1], images=digits.images.astype("uint8"), labels=digits.target)
"""


def write_digits(folder: Path, progress: Progress) -> None:
    """Write the digits as `<folder>/<class>/<number>.png`, classes 0 to 9.

    Args:
        folder: An empty folder.
        progress: Reports "load the digits" (unknown length) and "write the digits" (images).

    Raises:
        UserError: Scikit-learn is missing or broken.
        OSError: The disk is full or cannot be written.
    """
    progress("load the digits", 0, 0)
    images, labels = _load_digits()
    for label in range(10):
        (folder / str(label)).mkdir()
    for number, (ink, label) in enumerate(zip(images, labels, strict=True)):
        enlarge(ink).save(folder / str(label) / f"digit-{number:04d}.png")
        progress("write the digits", number + 1, len(labels))


def enlarge(ink: np.ndarray) -> Image.Image:
    """Return an 8x8 digit in MNIST's form.

    Args:
        ink: uint8, (8, 8), from 0 (paper) to 16 (ink).

    Returns:
        A 28x28 grey image: bicubic to 20x20, a black margin of 4 pixels around it.
    """
    grey = np.rint(ink * (255 / _MAX_INK)).astype(np.uint8)
    digit = Image.fromarray(grey).resize((_DIGIT, _DIGIT), Image.Resampling.BICUBIC)
    image = Image.new("L", (_IMAGE, _IMAGE))
    image.paste(digit, (_MARGIN, _MARGIN))
    return image


def _load_digits() -> tuple[np.ndarray, np.ndarray]:
    with tempfile.TemporaryDirectory() as scratch:
        arrays = Path(scratch) / "digits.npz"
        # -P: a file sklearn.py in the current folder is not scikit-learn.
        command = [sys.executable, "-P", "-c", _LOAD, str(arrays)]
        try:
            process = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_TIMEOUT,
            )
        except subprocess.TimeoutExpired as error:
            raise _unavailable(f"it did not load within {_TIMEOUT} seconds") from error
        if process.returncode != 0:
            lines = process.stderr.strip().splitlines()
            raise _unavailable(lines[-1] if lines else f"it ended with code {process.returncode}")
        with np.load(arrays, allow_pickle=False) as loaded:
            return loaded["images"], loaded["labels"]


def _unavailable(reason: str) -> UserError:
    return UserError(
        f"Scikit-learn, the source of the handwritten digits, does not work: {safe_text(reason)}.",
        f"Install it again: {sys.executable} -m pip install --force-reinstall scikit-learn",
    )
