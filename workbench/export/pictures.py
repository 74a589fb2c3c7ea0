"""The images of a run, wherever they lie now: for thumbnails, and to try a model on."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from workbench.datasets.images import ImageError, decode, decode_to_show, to_array
from workbench.datasets.manifest import Row
from workbench.datasets.npz_source import NpzImages
from workbench.datasets.pack import open_pack, pack_path
from workbench.datasets.store import find_folder, source_root
from workbench.errors import UserError
from workbench.experiment.sections import DataSpec
from workbench.paths import Workspace

SAMPLE = 64  # images on which an exported model is tried


class RunPictures:
    """Images of a run by the paths of its manifest.

    Attributes:
        root: where the paths start: a folder, or an npz file; None where that is not known.
        folder: the data folder that the source was prepared in, if it still is there.
    """

    def __init__(self, workspace: Workspace, source: str) -> None:
        self.folder: Path | None = None
        self.root: Path | None = None
        self._npz: NpzImages | None = None
        if not source:
            return
        try:
            path = Path(source).expanduser().absolute()
            self.folder = find_folder(workspace, path)
            self.root = source_root(self.folder) if self.folder else path
        except (OSError, ValueError):  # a zero byte in it, or a folder that cannot be read
            return
        if not self.root.is_absolute():
            self.root = path

    def picture(self, path: str, at_least: tuple[int, int] | None = None) -> Image.Image:
        """An image to look at, of mode L or RGB.

        Args:
            at_least: (height, width) that suffice, see `images.decode`.

        Raises:
            ImageError: it cannot be had; the reason is told.
        """
        return self._read(path, lambda file: decode_to_show(file, at_least))

    def _read(self, path: str, read: Callable[[Path], Image.Image]) -> Image.Image:
        if self.root is None:
            raise ImageError("where the images lie is not known any more")
        try:
            if self.root.suffix != ".npz":
                return read(self.root / path)
            self._npz = self._npz or NpzImages(self.root)
            return self._npz.image(path)
        except KeyError:
            raise ImageError("it is not in its npz file any more") from None
        except UserError as error:
            raise ImageError(error.message) from None
        except ValueError:  # a zero byte in the path
            raise ImageError("its path cannot be one") from None

    def sample(self, rows: Sequence[Row], data: DataSpec) -> np.ndarray | None:
        """Up to 64 test images as the network takes them, else validation, else training images.

        They come from the pack, or from the files where there is none.

        Args:
            rows: of the run's manifest, in their order.

        Returns:
            uint8 (n, height, width, channels); None where no image can be had.
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

    def _pack(self, rows: Sequence[Row], data: DataSpec) -> np.ndarray | None:
        """The pack of the run's images; None where there is none, or a damaged one."""
        if self.folder is None:
            return None
        try:
            pack = open_pack(pack_path(self.folder, rows, data))
        except (ValueError, OSError, EOFError):
            return None
        return pack if pack.shape == (len(rows), *data.input_shape) else None

    def _array(self, row: Row, data: DataSpec) -> np.ndarray | None:
        at_least = data.image_size if data.decode == "fast" else None
        try:
            picture = self._read(row.path, lambda file: decode(file, at_least, row.levels))
        except ImageError:
            return None
        return to_array(picture, data.image_size, data.channels, data.resize)


_ORDER = ("test", "validation", "train")
