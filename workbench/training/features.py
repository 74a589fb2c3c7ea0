"""The frozen prefix: the network below everything that trains, run once for each image.

Its outputs, the features, are kept as `features-<fingerprint>.npy` in the data folder and shared
between stages and runs. The fingerprint covers all that they depend on, so that no stale ones are
ever read.
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

from workbench.bases.weights import fingerprint
from workbench.datasets.store import building
from workbench.errors import DISK_FULL, DiskFull
from workbench.experiment.estimate import PREFIX_BATCH
from workbench.experiment.spec import ExperimentSpec
from workbench.messages import tr
from workbench.progress import Progress
from workbench.runs.events import PREFIX_PHASE
from workbench.text import format_bytes, plural, safe_text
from workbench.training.feature_file import FeatureFile, Record
from workbench.training.inputs import Augmented, train_batches

CHUNK = PREFIX_BATCH  # images of one call
_FORMAT = 2  # 1: outputs of batches whose shape, and with it their last bits, differed


class Prefix:
    """The network from the image to a cut; an image's features have the same bits in any batch.

    The shape of a batch decides how sums are split into parts, so every batch has CHUNK images, the
    last one filled up. If an image's place in the batch also decides about the last bits, as it can
    on a CPU (see `places_matter`), each image is a batch of its own; training would amplify the
    difference.

    Args:
        on_cpu: whether places are probed. On a GPU they never matter, and single images would take
            many times as long.

    Attributes:
        cut: name of the last layer of the prefix.
        network: from images (n, h, w, c) to features, for batches of any size.
        shape: of one image's features, (height, width, channels).
        identity: what decides about the last bits, besides the network and the kind of processor.
    """

    def __init__(self, model: keras.Model, cut: str, on_cpu: bool = True) -> None:
        output = model.get_layer(cut).output
        self.cut = cut
        self.network = keras.Model(model.input, output, name="prefix")
        self.shape = tuple(int(side) for side in output.shape[1:])
        self.identity = "" if on_cpu else f"batches of {CHUNK}"
        self._on_cpu = on_cpu

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return features float32 (n, *shape) of raw images (n, h, w, c), 0 to 255."""
        parts = [self._part(images[at : at + CHUNK]) for at in range(0, len(images), CHUNK)]
        return np.concatenate(parts)

    def _part(self, images: np.ndarray) -> np.ndarray:
        """Return features of CHUNK images at most."""
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
    """Return whether an image's place in a batch of CHUNK decides about its features' last bits.

    It does with TensorFlow without oneDNN on a processor with AVX2 only, in most networks. The
    probe puts one image into all places: sums of many thousand numbers show any difference.
    """
    image = np.random.default_rng(0).integers(0, 256, (1, *network.input_shape[1:]))
    outputs = network.predict_on_batch(np.repeat(image.astype(np.float32), CHUNK, axis=0))
    outputs = np.asarray(outputs, np.float32)
    return not all(np.array_equal(output, outputs[0]) for output in outputs)


class OneByOne(keras.Model):
    """Runs a network on batches of one image, several in parallel.

    The loop is part of the compiled function: one call for each image would take up to twice as
    long.
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__(autocast=False, name="one_by_one")  # the network has a policy of its own
        self.network = network

    def call(self, images: Any) -> Any:
        """Return features (n, ...) of images (n, h, w, c)."""
        return keras.ops.map(lambda image: self.network(image[None], training=False)[0], images)


class FeatureExtractor(Protocol):
    """Runs the network up to a cut; attributes as of `Prefix`."""

    cut: str
    shape: tuple[int, ...]
    identity: str

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return features float32 (n, *shape) of raw images (n, h, w, c), 0 to 255."""


@dataclass(frozen=True)
class FeatureStore:
    """The cached features of a data folder.

    Attributes:
        folder: data/<name>.
        identity: all that features depend on besides rows, cut, view and dtype: the pack's
            fingerprint, base, weights, preprocessing, precision, backend.
        dtype: "float32" or "float16".
        progress: called with "prefix" and the number of images.
        notify: called with a sentence before anything is written.
    """

    folder: Path
    identity: dict[str, Any]
    dtype: str
    progress: Progress
    notify: Callable[[str], None]

    def features(
        self,
        prefix: FeatureExtractor,
        images: np.ndarray,
        rows: np.ndarray,
        changes: Augmented | None = None,
    ) -> np.ndarray:
        """Return the features of rows of the pack, memory-mapped: (len(rows), *shape).

        Missing ones are computed and kept.

        Args:
            prefix: computes missing features.
            images: of the pack, uint8 (N, h, w, c).
            rows: int (n,), rows of the pack.
            changes: augmentation of the images; `views` has one entry for each of the rows.

        Raises:
            DiskFull: the disk became full.
        """
        file = self._file(prefix, rows, changes)
        if not file.is_whole:
            with building(self.folder, self.progress):
                if not file.is_whole:  # another run may have written it meanwhile
                    self._compute(prefix, images, rows, changes, file)
        return np.load(file.path, mmap_mode="r")

    def count_missing(
        self, prefix: FeatureExtractor, rows: np.ndarray, changes: Augmented | None = None
    ) -> int:
        """Return how many rows `features` would have to compute."""
        file = self._file(prefix, rows, changes)
        return 0 if file.is_whole else len(rows) - file.partial

    @contextmanager
    def filling(
        self, prefix: FeatureExtractor, rows: np.ndarray, changes: Augmented | None = None
    ) -> Iterator[Record]:
        """Keep features that the caller computes in any order, once all were given.

        Yields:
            A function that takes positions in `rows`, each once, and their features; it returns
            these as `features` will read them. If the block fails, nothing is kept.

        Raises:
            DiskFull: the disk became full.
        """
        file = self._file(prefix, rows, changes)
        with building(self.folder, self.progress), self._explain_full_disk(), file.fill() as record:
            yield record

    def _file(
        self, prefix: FeatureExtractor, rows: np.ndarray, changes: Augmented | None
    ) -> FeatureFile:
        path = self._path(prefix, rows, changes)
        return FeatureFile(path, self.dtype, len(rows), prefix.shape)

    def _path(self, prefix: FeatureExtractor, rows: np.ndarray, changes: Augmented | None) -> Path:
        parts = {"format": _FORMAT, "cut": prefix.cut, "dtype": self.dtype, **self.identity}
        if prefix.identity:
            parts["run"] = prefix.identity
        digest = blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8)
        digest.update(rows.astype("<i8").tobytes())
        if changes is not None:
            drawn = [changes.spec.of_images(), changes.seed, changes.stage]
            digest.update(json.dumps(drawn).encode())
            digest.update(changes.views.astype("<i8").tobytes())
        return self.folder / f"features-{digest.hexdigest()}.npy"

    def announce(self, prefix: FeatureExtractor, count: int, views: bool) -> None:
        """Report what is about to be computed and kept.

        Args:
            prefix: computes the features.
            count: images, each view counted.
            views: whether images are augmented.

        Raises:
            DiskFull: the disk has too little space for them.
        """
        needed = count * math.prod(prefix.shape) * np.dtype(self.dtype).itemsize
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise DiskFull(
                tr(
                    "The features need {needed}, and {folder} has {free} free.",
                    needed=format_bytes(needed),
                    folder=safe_text(self.folder),
                    free=format_bytes(free),
                ),
                tr(
                    "Free some space, halve them with --set base.prefix_dtype=float16, "
                    "or compute them in every epoch with --set base.prefix=streamed."
                ),
            )
        counted = f"{plural(count, 'image')}{', each view counted,' if views else ''}"
        self.notify(
            tr(
                "The frozen base (everything up to layer {cut}) runs once for "
                "{counted} and its features are kept, {needed}.",
                cut=prefix.cut,
                counted=counted,
                needed=format_bytes(needed),
            )
        )

    @contextmanager
    def _explain_full_disk(self) -> Iterator[None]:
        """Turn the error of a full disk into a DiskFull."""
        try:
            yield
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            raise DiskFull(
                tr(
                    "The disk of {folder} became full while features were written; what "
                    "was written of them is removed.",
                    folder=safe_text(self.folder),
                ),
                tr(
                    "Free some space and resume, or compute them in every epoch with "
                    "--set base.prefix=streamed."
                ),
            ) from None

    def _compute(
        self,
        prefix: FeatureExtractor,
        images: np.ndarray,
        rows: np.ndarray,
        changes: Augmented | None,
        file: FeatureFile,
    ) -> None:
        """Run the prefix over all the rows, or resume where an interrupted pass stopped.

        Batches count from the first image, so it resumes where a batch ends.
        """
        partial = file.partial
        done = partial if partial == len(rows) else partial // CHUNK * CHUNK
        if done:
            self.notify(
                tr(
                    "The prefix resumes at image {done:,} of {rows_count:,}.",
                    done=done + 1,
                    rows_count=len(rows),
                )
            )
        with (
            self._explain_full_disk(),
            file.append(done) as append,
            train_batches(
                images, rows, CHUNK, start_step=-(-done // CHUNK), augmentation=changes
            ) as batches,
        ):
            for batch in batches:
                append(prefix(batch))
                done += len(batch)
                self.progress(PREFIX_PHASE, done, len(rows))


def make_feature_store(
    spec: ExperimentSpec,
    folder: Path,
    weights: Path | None,
    progress: Progress,
    notify: Callable[[str], None],
    pack: str = "",
) -> FeatureStore | None:
    """Return the store of the frozen prefix's features; None without a base.

    Args:
        spec: of the network.
        folder: of the features.
        weights: file of the base's weights; None for random ones.
        progress: of the store.
        notify: of the store.
        pack: name of the pack, which stands for the images, their size and decoding.
    """
    if spec.base is None:
        return None
    identity = {
        "pack": pack,
        "base": spec.base.name,
        "weights": fingerprint(weights) if weights else f"random {spec.training.seed}",
        "preprocessing": spec.base.preprocessing,
        "precision": keras.config.dtype_policy().name,
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
    }
    return FeatureStore(folder, identity, spec.base.prefix_dtype, progress, notify)
