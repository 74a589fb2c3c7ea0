"""Features: the outputs of a frozen prefix, computed once for each image and kept.

They are kept as `features-<fingerprint>.npy` in the data folder and shared
between stages and runs. The fingerprint covers all that they depend on, so that no stale ones are
ever read. Several processes may compute them together: of a run, or of an array of jobs.
"""

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.bases.weights import fingerprint
from workbench.datasets.store import adding_features
from workbench.errors import DISK_FULL, DiskFull
from workbench.experiment.spec import ExperimentSpec
from workbench.messages import tr
from workbench.progress import Progress
from workbench.runs.events import PREFIX_PHASE
from workbench.text import format_bytes, plural, safe_text
from workbench.training.feature_file import (
    CHUNK,
    WHOLE,
    FeatureFile,
    FeaturePart,
    Record,
    Shard,
)
from workbench.training.inputs import Augmented, train_batches

if TYPE_CHECKING:
    from workbench.training.prefix import FeatureExtractor

POLL_SECONDS = 0.2  # while other processes have the chunks that are left
_FORMAT = 2  # 1: outputs of batches whose shape, and with it their last bits, differed


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
        shard: the share of each file that is computed here; `features` needs the whole.
    """

    folder: Path
    identity: dict[str, Any]
    dtype: str
    progress: Progress
    notify: Callable[[str], None]
    shard: Shard = WHOLE

    def features(
        self,
        prefix: "FeatureExtractor",
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
        self.compute(prefix, images, rows, changes)
        return np.load(self._file(prefix, rows, changes).path, mmap_mode="r")

    def compute(
        self,
        prefix: "FeatureExtractor",
        images: np.ndarray,
        rows: np.ndarray,
        changes: Augmented | None = None,
    ) -> None:
        """Compute and keep what is missing of the store's shard of these features.

        Other processes may do so at the same time: each takes chunks that no other has. Arguments
        and errors are those of `features`.
        """
        file = self._file(prefix, rows, changes)
        if file.is_done(self.shard):
            return
        with adding_features(self.folder, self.progress), self._explain_full_disk():
            while not file.is_done(self.shard):
                with file.part() as part:
                    if file.is_whole:  # another process has just renamed its part
                        file.drop_part()
                    else:
                        self._work(part, prefix, images, rows, changes)

    def _work(
        self,
        part: FeaturePart,
        prefix: "FeatureExtractor",
        images: np.ndarray,
        rows: np.ndarray,
        changes: Augmented | None,
    ) -> None:
        """Run the prefix over the chunks of the shard until it is done or the part is gone."""
        if done := part.done:
            self.notify(
                tr(
                    "The prefix resumes: {done:,} of {count:,} images have passed it before.",
                    done=done,
                    count=len(rows),
                )
            )
        while True:
            steps = part.claim(self.shard)
            with train_batches(images, rows, CHUNK, steps=steps, augmentation=changes) as batches:
                for batch in batches:
                    part.write(prefix(batch))
                    self.progress(PREFIX_PHASE, part.done, len(rows))
            part.sync()
            if part.finish() or part.has_all_of(self.shard):
                return
            # The rest is in the works of others, and free again if one of them dies.
            self.progress(PREFIX_PHASE, part.done, len(rows))
            time.sleep(POLL_SECONDS)

    def count_missing(
        self, prefix: "FeatureExtractor", rows: np.ndarray, changes: Augmented | None = None
    ) -> int:
        """Return how many rows `features` would have to compute."""
        return self._file(prefix, rows, changes).count_missing(self.shard)

    @contextmanager
    def filling(
        self, prefix: "FeatureExtractor", rows: np.ndarray, changes: Augmented | None = None
    ) -> Iterator[Record]:
        """Keep features that the caller computes in any order, once all were given.

        Yields:
            A function that takes positions in `rows`, each once, and their features; it returns
            these as `features` will read them. If the block fails, nothing is kept.

        Raises:
            DiskFull: the disk became full.
        """

        def wait() -> None:
            self.progress(tr("wait for another process"), 0, 0)
            time.sleep(POLL_SECONDS)

        file = self._file(prefix, rows, changes)
        with (
            adding_features(self.folder, self.progress),
            self._explain_full_disk(),
            file.fill(wait) as record,
        ):
            yield record

    def _file(
        self, prefix: "FeatureExtractor", rows: np.ndarray, changes: Augmented | None
    ) -> FeatureFile:
        path = self._path(prefix, rows, changes)
        return FeatureFile(path, self.dtype, len(rows), prefix.shape)

    def _path(
        self, prefix: "FeatureExtractor", rows: np.ndarray, changes: Augmented | None
    ) -> Path:
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

    def announce(
        self, prefix: "FeatureExtractor", count: int, views: bool, mirrored: bool = False
    ) -> None:
        """Report what is about to be computed and kept.

        Args:
            prefix: computes the features.
            count: images, each view counted.
            views: whether images are augmented.
            mirrored: whether mirror images of them are counted.

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
        counted = plural(count, "image")
        if views:
            counted = tr("{images}, each view counted,", images=counted)
        elif mirrored:
            counted = tr("{images}, mirror images counted,", images=counted)
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
                    "Make room and resume, or compute them in every epoch with "
                    "--set base.prefix=streamed."
                ),
            ) from None


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
    import keras  # a process that only looks at features needs none

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
