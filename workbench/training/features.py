"""The frozen prefix: what lies below everything that trains, computed once for each image.

Its outputs are kept as `features-<print>.npy` in the data folder and shared between stages and
runs. The fingerprint covers all that they depend on, so that nothing stale is ever read.
"""

import json
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from workbench.datasets.store import building
from workbench.errors import DISK_FULL, DiskFull
from workbench.experiment.estimate import PREFIX_BATCH
from workbench.progress import Progress
from workbench.text import human_bytes, plural, safe_text
from workbench.training.feature_file import FeatureFile, Keep
from workbench.training.inputs import Augmented, train_batches

CHUNK = PREFIX_BATCH  # images of one call
_FORMAT = 2  # 1: outputs of batches whose shape, and with it their last bits, differed


class Prefix:
    """The network from the image to a cut: an image has the same bits in any company.

    Sums are cut into parts by the shape of a batch, so every batch is one of CHUNK, the last one
    filled up. Where an image's place in there decides about the last bits too, as on a CPU it can
    (see `places_matter`), each image is a batch of its own; training would make more of them.

    Args:
        on_cpu: whether places are looked at. On a GPU they decide nothing, and single images
            would take many times as long.

    Attributes:
        cut: name of the layer whose output leaves it.
        network: from images (n, h, w, c) to outputs, for batches of any size.
        shape: of one output, (height, width, channels).
        identity: what decides about the last bits beside the network and the kind of processor.
    """

    def __init__(self, model: keras.Model, cut: str, on_cpu: bool = True) -> None:
        output = model.get_layer(cut).output
        self.cut = cut
        self.network = keras.Model(model.input, output, name="prefix")
        self.shape = tuple(int(side) for side in output.shape[1:])
        self.identity = "" if on_cpu else f"batches of {CHUNK}"
        self._on_cpu = on_cpu

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Outputs float32 (n, *shape) of raw images (n, h, w, c), 0 to 255."""
        parts = [self._part(images[at : at + CHUNK]) for at in range(0, len(images), CHUNK)]
        return np.concatenate(parts)

    def _part(self, images: np.ndarray) -> np.ndarray:
        """Outputs of CHUNK images at most."""
        batch = images
        if self._run is self.network and len(images) < CHUNK:
            batch = np.zeros((CHUNK, *images.shape[1:]), images.dtype)
            batch[: len(images)] = images
        return np.asarray(self._run.predict_on_batch(batch), np.float32)[: len(images)]

    @cached_property
    def _run(self) -> keras.Model:
        one_by_one = self._on_cpu and places_matter(self.network)
        return OneByOne(self.network) if one_by_one else self.network


def places_matter(network: keras.Model) -> bool:
    """Whether an image's place in a batch of CHUNK decides about its outputs' last bits.

    So it is with TensorFlow without oneDNN on a processor that has AVX2 alone, in most networks.
    One image is put into all places: sums of many thousand numbers show it if anything does.
    """
    image = np.random.default_rng(0).integers(0, 256, (1, *network.input_shape[1:]))
    outputs = network.predict_on_batch(np.repeat(image.astype(np.float32), CHUNK, axis=0))
    outputs = np.asarray(outputs, np.float32)
    return not all(np.array_equal(output, outputs[0]) for output in outputs)


class OneByOne(keras.Model):
    """A network that images go through in batches of one, several of them side by side.

    The loop is part of the compiled function: one call for each image would take up to twice as
    long.
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__(autocast=False, name="one_by_one")  # the network has a policy of its own
        self.network = network

    def call(self, images: Any) -> Any:
        """Outputs (n, ...) of images (n, h, w, c)."""
        return keras.ops.map(lambda image: self.network(image[None], training=False)[0], images)


class Outputs(Protocol):
    """Whatever runs the network up to a cut: images in, outputs out."""

    cut: str
    shape: tuple[int, ...]
    identity: str

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Outputs float32 (n, *shape) of raw images (n, h, w, c), 0 to 255."""


@dataclass(frozen=True)
class FeatureStore:
    """The data folder's cached outputs.

    Attributes:
        folder: data/<name>.
        identity: all that outputs depend on beside rows, cut, view and dtype: the pack's
            fingerprint, base, weights, preprocessing, precision, backend.
        dtype: "float32" or "float16".
        progress: told "prefix" with the number of images.
        told: called with a sentence before anything is written.
    """

    folder: Path
    identity: dict[str, Any]
    dtype: str
    progress: Progress
    told: Callable[[str], None]

    def features(
        self,
        prefix: Outputs,
        images: np.ndarray,
        rows: np.ndarray,
        changes: Augmented | None = None,
    ) -> np.ndarray:
        """Outputs of the prefix for rows of the pack, memory-mapped: (len(rows), *shape).

        Args:
            changes: how each image is changed first; `views` has one entry for each of the rows.

        Raises:
            DiskFull: the disk became full.
        """
        file = self._file(prefix, rows, changes)
        if not file.is_whole:
            with building(self.folder, self.progress):
                if not file.is_whole:  # another run may have made it meanwhile
                    self._pass(prefix, images, rows, changes, file)
        return np.load(file.path, mmap_mode="r")

    def lacking(self, prefix: Outputs, rows: np.ndarray, changes: Augmented | None = None) -> int:
        """How many outputs `features` would have to compute."""
        file = self._file(prefix, rows, changes)
        return 0 if file.is_whole else len(rows) - file.begun

    @contextmanager
    def filling(
        self, prefix: Outputs, rows: np.ndarray, changes: Augmented | None = None
    ) -> Iterator[Keep]:
        """Takes outputs that somebody computes, in any order; once all came, they are kept.

        Yields:
            A function that is given places in `rows`, each once, and their outputs; it returns
            these as `features` will give them. Where the block fails nothing is kept.

        Raises:
            DiskFull: the disk became full.
        """
        file = self._file(prefix, rows, changes)
        with building(self.folder, self.progress), self._in_words(), file.filled() as keep:
            yield keep

    def _file(self, prefix: Outputs, rows: np.ndarray, changes: Augmented | None) -> FeatureFile:
        path = self._path(prefix, rows, changes)
        return FeatureFile(path, self.dtype, len(rows), prefix.shape)

    def _path(self, prefix: Outputs, rows: np.ndarray, changes: Augmented | None) -> Path:
        parts = {"format": _FORMAT, "cut": prefix.cut, "dtype": self.dtype, **self.identity}
        if prefix.identity:
            parts["run"] = prefix.identity
        digest = blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8)
        digest.update(rows.astype("<i8").tobytes())
        if changes is not None:
            drawn = [changes.spec.model_dump(mode="json"), changes.seed, changes.stage]
            digest.update(json.dumps(drawn).encode())
            digest.update(changes.views.astype("<i8").tobytes())
        return self.folder / f"features-{digest.hexdigest()}.npy"

    def announce(self, prefix: Outputs, count: int, views: bool) -> None:
        """Tells what is about to be computed and kept, before anything is.

        Args:
            count: outputs, each view of an image counted.
            views: whether images are augmented.

        Raises:
            DiskFull: the disk does not hold them.
        """
        needed = count * math.prod(prefix.shape) * np.dtype(self.dtype).itemsize
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise DiskFull(
                f"The prefix's outputs need {human_bytes(needed)}, and {safe_text(self.folder)} "
                f"has {human_bytes(free)} free.",
                "Make room, halve them with --set base.prefix_dtype=float16, or compute them in "
                "every epoch with --set base.prefix=streamed.",
            )
        counted = f"{plural(count, 'image')}{', each view counted,' if views else ''}"
        self.told(
            f"The frozen base (everything up to layer {prefix.cut}) runs once for {counted} and "
            f"its outputs are kept, {human_bytes(needed)}."
        )

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Says what a full disk means."""
        try:
            yield
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            raise DiskFull(
                f"The disk of {safe_text(self.folder)} became full while the prefix's outputs "
                "were written; what was written of them is removed.",
                "Make room and resume, or compute them in every epoch with "
                "--set base.prefix=streamed.",
            ) from None

    def _pass(
        self,
        prefix: Outputs,
        images: np.ndarray,
        rows: np.ndarray,
        changes: Augmented | None,
        file: FeatureFile,
    ) -> None:
        """Runs the prefix over all the rows, or goes on with it.

        Batches count from the first image, so a part that is gone on with ends where one does.
        """
        begun = file.begun
        done = begun if begun == len(rows) else begun // CHUNK * CHUNK
        if done:
            self.told(f"The prefix goes on at image {done + 1:,} of {len(rows):,}.")
        with (
            self._in_words(),
            file.grown(done) as append,
            train_batches(
                images, rows, CHUNK, start_step=-(-done // CHUNK), augmentation=changes
            ) as batches,
        ):
            for batch in batches:
                append(prefix(batch))
                done += len(batch)
                self.progress("prefix", done, len(rows))
