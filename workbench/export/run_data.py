"""The content of a run's folder, read once, and the run's images, wherever they are now.

What is missing or damaged is None or empty.
"""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from workbench.datasets.decoding import to_array
from workbench.datasets.image_files import ImageError
from workbench.datasets.manifest import ImageRecord, read_manifest
from workbench.datasets.names import natural_sorted
from workbench.datasets.pack import open_pack, pack_path
from workbench.datasets.sources.opening import open_images
from workbench.datasets.sources.source import SourceImages
from workbench.datasets.store import find_folder, source_root
from workbench.errors import UserError
from workbench.experiment.sections import DataSpec
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import parse_spec
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.confusion import worst_classes
from workbench.runs.event_log import read_events
from workbench.runs.folder import RunFolder, read_tables
from workbench.runs.history import History, fold
from workbench.runs.results import Results, read_results
from workbench.runs.summary import RunSummary, summarize
from workbench.text import format_accuracy

_PACKAGES = ("backend", "keras", "tensorflow", "jax", "torch", "numpy", "pillow", "python")
SAMPLE = 64  # images on which an exported model is compared
_ORDER = ("test", "validation", "train")
_THUMBNAIL = 160  # pixels of a side at most
_SMALL = 64  # pixels up to which single ones are shown as squares


@dataclass(frozen=True)
class RunData:
    """A run, from its files.

    Attributes:
        folder: of the run.
        summary: its state and main values.
        history: its events.
        tables: of the spec, not validated.
        spec: the same, validated; None if this version rejects it.
        results: of the final evaluation.
        rows: of the manifest.
    """

    folder: RunFolder
    summary: RunSummary
    history: History
    tables: dict[str, Any]
    spec: ExperimentSpec | None
    results: Results | None
    rows: tuple[ImageRecord, ...]

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.folder.name

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the network's outputs."""
        if self.results:
            return self.results.labels
        return self.history.labels or tuple(natural_sorted({row.label for row in self.rows}))

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the newest session's packages."""
        worker = self.history.worker
        found = {name: getattr(worker, name, "") for name in _PACKAGES}
        return {name: version for name, version in found.items() if version}

    @property
    def ended(self) -> str:
        """The day on which the run ended, 2026-02-24; "" if unknown."""
        return day(self.history.ended)


def read_run_data(folder: RunFolder) -> RunData:
    """Read a run.

    Raises:
        OSError: its event log exists but cannot be read.
    """
    tables = read_tables(folder)
    return RunData(
        folder,
        summarize(folder),
        fold(read_events(folder.events_path)),
        tables,
        _spec(tables),
        _results(folder),
        _rows(folder),
    )


def checked_spec(data: RunData) -> ExperimentSpec:
    """Return the run's spec.

    Raises:
        UserError: this version rejects it; the message names the key.
    """
    return data.spec or parse_spec(data.tables, str(data.folder.spec_path))


def class_table(results: Results, most: int) -> tuple[str, list[tuple[str, str, str, str]]]:
    """Return label, images, precision and recall of each class, and a caption.

    The caption is "" if these are all classes; of more than `most` those with the lowest recall
    are returned.
    """
    classes, caption = results.classes, ""
    if len(classes) > most:
        caption = tr(
            "The {most} of {count:,} labels with the lowest recall", most=most, count=len(classes)
        )
        classes = tuple(worst_classes(classes, most))
    rows = [
        (
            one.label,
            f"{one.images:,}",
            format_accuracy(one.precision),
            format_accuracy(one.recall),
        )
        for one in classes
    ]
    return caption, rows


def day(time: float | None) -> str:
    """Return the day of a time in unix seconds, in UTC; "" for None."""
    date = _calendar(time)
    return f"{date:%Y-%m-%d}" if date else ""


def moment(time: float | None) -> str:
    """Return a time in unix seconds as 2026-02-24 10:05 UTC; "" for None."""
    date = _calendar(time)
    return f"{date:%Y-%m-%d %H:%M} UTC" if date else ""


def _calendar(time: float | None) -> datetime | None:
    try:
        return None if time is None else datetime.fromtimestamp(time, UTC)
    except (ValueError, OverflowError, OSError):  # out of range
        return None


def _spec(tables: dict[str, Any]) -> ExperimentSpec | None:
    try:
        return parse_spec(tables, "spec.toml")
    except UserError:
        return None


def _results(folder: RunFolder) -> Results | None:
    try:
        return read_results(folder.results_path)
    except UserError:
        return None


def _rows(folder: RunFolder) -> tuple[ImageRecord, ...]:
    try:
        return tuple(read_manifest(folder.manifest_path))
    except UserError:
        return ()


class RunImages:
    """Images of a run by the paths of its manifest.

    Attributes:
        root: where the paths start: a folder, or an npz file; None if unknown.
        folder: the data folder that the source was prepared in, if it still exists.
    """

    def __init__(self, workspace: Workspace, source: str) -> None:
        self.folder: Path | None = None
        self.root: Path | None = None
        self._images: SourceImages | None = None
        if not source:
            return
        try:
            path = Path(source).expanduser().absolute()
            self.folder = find_folder(workspace, path)
            self.root = source_root(self.folder) if self.folder else path
        except (OSError, ValueError):  # a zero byte in the path, or an unreadable folder
            return
        if not self.root.is_absolute():
            self.root = path

    def picture(self, path: str, at_least: tuple[int, int] | None = None) -> Image.Image:
        """Return an image to show, of mode L or RGB.

        Args:
            path: in the manifest.
            at_least: (height, width) that suffice, see `images.decode`.

        Raises:
            ImageError: it cannot be read; with the reason.
        """
        return self._read(lambda images: images.decode_for_display(path, at_least))

    def thumbnail(self, path: str) -> tuple[str, bool]:
        """Return an image inside an address, at most 160 pixels wide and high, and if it is small.

        Single pixels of a small one are shown as squares.

        Raises:
            ImageError: as `picture`.
        """
        picture = self.picture(path, (_THUMBNAIL, _THUMBNAIL))
        is_small = max(picture.size) <= _SMALL
        reduced = picture.copy()
        reduced.thumbnail((_THUMBNAIL, _THUMBNAIL))
        kind = "PNG" if is_small else "JPEG"
        content = io.BytesIO()
        reduced.save(content, kind, quality=85)
        encoded = base64.b64encode(content.getvalue()).decode()
        return f"data:image/{kind.lower()};base64,{encoded}", is_small

    def _read(self, read: Callable[[SourceImages], Image.Image]) -> Image.Image:
        if self.root is None:
            raise ImageError(tr("the location of the images is not known any more"))
        try:
            self._images = self._images or open_images(self.root)
            return read(self._images)
        except UserError as error:
            raise ImageError(error.message) from None
        except ValueError:  # a zero byte in the path
            raise ImageError(tr("its path is invalid")) from None

    def sample(self, rows: Sequence[ImageRecord], data: DataSpec) -> np.ndarray | None:
        """Return up to 64 test images as the network takes them, else validation or training ones.

        They come from the pack, or from the files if there is none.

        Args:
            rows: of the run's manifest, in their order.
            data: of the run's spec.

        Returns:
            uint8 (n, height, width, channels); None if no image can be read.
        """
        splits = [[i for i, row in enumerate(rows) if row.split == split] for split in _ORDER]
        chosen = next((found for found in splits if found), [])
        chosen = chosen[:: max(1, len(chosen) // SAMPLE)][:SAMPLE]
        if not chosen:
            return None
        packed = self._pack(rows, data)
        if packed is not None:
            return np.asarray(packed[chosen])
        found = [self._array(rows[i], data) for i in chosen]
        arrays = [array for array in found if array is not None]
        return np.stack(arrays) if arrays else None

    def _pack(self, rows: Sequence[ImageRecord], data: DataSpec) -> np.ndarray | None:
        """Return the pack of the run's images; None if it is missing or damaged."""
        if self.folder is None:
            return None
        try:
            pack = open_pack(pack_path(self.folder, rows, data))
        except (ValueError, OSError, EOFError):
            return None
        return pack if pack.shape == (len(rows), *data.input_shape) else None

    def _array(self, row: ImageRecord, data: DataSpec) -> np.ndarray | None:
        at_least = data.image_size if data.decode == "fast" else None
        try:
            picture = self._read(lambda images: images.decode(row.path, at_least, row.levels))
        except ImageError:
            return None
        return to_array(picture, data.image_size, data.channels, data.resize)
