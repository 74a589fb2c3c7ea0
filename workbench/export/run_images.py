"""The images of a run, wherever they are now: for thumbnails, and to compare models on."""

import base64
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from workbench.datasets.images.decoding import to_array
from workbench.datasets.images.files import ImageError
from workbench.datasets.pack import open_pack, pack_path
from workbench.datasets.records import ImageRecord
from workbench.datasets.sources.images import SourceImages
from workbench.datasets.sources.opening import open_images
from workbench.datasets.store import find_folder, source_root
from workbench.errors import UserError
from workbench.experiment.sections import DataSpec
from workbench.paths import Workspace

SAMPLE = 64  # images on which an exported model is compared
_ORDER = ("test", "validation", "train")
_THUMBNAIL = 160  # pixels of a side at most
_SMALL = 64  # pixels up to which single ones are shown as squares


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
            raise ImageError("the location of the images is not known any more")
        try:
            self._images = self._images or open_images(self.root)
            return read(self._images)
        except UserError as error:
            raise ImageError(error.message) from None
        except ValueError:  # a zero byte in the path
            raise ImageError("its path is invalid") from None

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
