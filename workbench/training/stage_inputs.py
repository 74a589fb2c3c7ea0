"""Where a stage's inputs come from: the pack, or the outputs of the frozen prefix.

The same suffix trains in every case, so cached and streamed inputs give the same bits.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import chain, islice
from typing import Protocol

import numpy as np

from workbench.experiment.plan import Stage
from workbench.experiment.sections import AugmentationSpec
from workbench.training.data import TrainingData
from workbench.training.features import CHUNK, FeatureStore, Outputs
from workbench.training.inputs import Augmented, plain_batches, train_batches
from workbench.training.order import epoch_views

Rows = np.ndarray


class StageInputs(Protocol):
    """Inputs of the network that a stage trains."""

    def prepare(self, epoch: int, whole: bool) -> bool:
        """Makes what the epoch reads and nobody has made yet, unless training will on its way.

        Args:
            whole: the epoch goes through all images once, from the beginning.

        Returns:
            True where the epoch will make what later ones only read.
        """

    def train(
        self, epoch: int, order: Rows, batch_size: int, start_step: int
    ) -> AbstractContextManager[Iterator[np.ndarray]]:
        """Batches of the rows in `order`, from `start_step` on; float32, or bytes of images."""

    def validation(self, batch_size: int) -> Iterator[tuple[np.ndarray, Rows]]:
        """Batches of the validation rows, with these rows; never augmented."""


class PackInputs:
    """Images themselves, changed at random where the stage says so."""

    def __init__(
        self, data: TrainingData, stage: Stage, changes: AugmentationSpec, seed: int
    ) -> None:
        self.data = data
        self.stage = stage
        self.changes = changes
        self.seed = seed

    def prepare(self, epoch: int, whole: bool) -> bool:
        return False  # the pack is there

    def train(
        self, epoch: int, order: Rows, batch_size: int, start_step: int
    ) -> AbstractContextManager[Iterator[np.ndarray]]:
        views = epoch_views(len(self.data.rows["train"]), epoch, len(order))
        augmentation = self.augmented(views) if self.stage.augmented else None
        return train_batches(
            self.data.images, order, batch_size, start_step=start_step, augmentation=augmentation
        )

    def validation(self, batch_size: int) -> Iterator[tuple[np.ndarray, Rows]]:
        return plain_batches(self.data.images, self.data.rows["validation"], batch_size)

    def augmented(self, views: np.ndarray) -> Augmented:
        """How the images of an order change, each in the view given for its place."""
        return Augmented(self.changes, self.seed, self.stage.index, views, self.data.contents)


class StreamedInputs:
    """Outputs of the prefix, computed in every epoch."""

    def __init__(self, images: PackInputs, prefix: Outputs) -> None:
        self.images = images
        self.prefix = prefix

    def prepare(self, epoch: int, whole: bool) -> bool:
        return False  # outputs are computed when they are read

    @contextmanager
    def train(
        self, epoch: int, order: Rows, batch_size: int, start_step: int
    ) -> Iterator[Iterator[np.ndarray]]:
        with self.images.train(epoch, order, batch_size, start_step) as batches:
            yield through(self.prefix, batches, batch_size)

    def validation(self, batch_size: int) -> Iterator[tuple[np.ndarray, Rows]]:
        rows = self.images.data.rows["validation"]
        batches = (batch for batch, _ in self.images.validation(batch_size))
        outputs = through(self.prefix, batches, batch_size)
        for start, batch in zip(range(0, len(rows), batch_size), outputs, strict=True):
            yield batch, rows[start : start + batch_size]


class CachedInputs:
    """Outputs of the prefix, computed once; with augmentation once for each view.

    Epoch e uses view (e - 1) mod K + 1, which is made when it is first needed: while the epoch
    trains on it, where that goes through all images from the beginning, else before.
    """

    def __init__(self, images: PackInputs, prefix: Outputs, store: FeatureStore) -> None:
        self.images = images
        self.prefix = prefix
        self.store = store
        rows = images.data.rows
        self.train_rows = np.sort(rows["train"])
        self.validation_rows = rows["validation"]
        self.announced = False
        self.making = False  # a view, in the epoch that was prepared last

    def prepare(self, epoch: int, whole: bool) -> bool:
        self._announce()
        self.making = self.images.stage.augmented and whole and not self._kept(epoch)
        if not self.making:
            self._train_features(epoch)
        if len(self.validation_rows):
            self._validation_features()
        return self.making

    def train(
        self, epoch: int, order: Rows, batch_size: int, start_step: int
    ) -> AbstractContextManager[Iterator[np.ndarray]]:
        if self.making:
            return self._made_on_the_way(epoch, order, batch_size)
        places = np.searchsorted(self.train_rows, order)
        return train_batches(self._train_features(epoch), places, batch_size, start_step=start_step)

    def validation(self, batch_size: int) -> Iterator[tuple[np.ndarray, Rows]]:
        rows = self.validation_rows
        features = self._validation_features()
        for batch, places in plain_batches(features, np.arange(len(rows)), batch_size):
            yield batch, rows[places]

    @contextmanager
    def _made_on_the_way(
        self, epoch: int, order: Rows, batch_size: int
    ) -> Iterator[Iterator[np.ndarray]]:
        places = np.searchsorted(self.train_rows, order)
        with (
            self.store.filling(self.prefix, self.train_rows, self._changes(epoch)) as keep,
            self.images.train(self._view(epoch), order, batch_size, 0) as batches,
        ):
            starts = range(0, len(order), batch_size)
            outputs = through(self.prefix, batches, batch_size)
            yield (
                keep(places[start : start + batch_size], batch)
                for start, batch in zip(starts, outputs, strict=True)
            )

    def _announce(self) -> None:
        if self.announced:
            return
        self.announced = True
        missing = sum(
            self.store.lacking(self.prefix, self.train_rows, self._changes(view))
            for view in range(1, self.images.stage.views_made + 1)
        )
        missing += self.store.lacking(self.prefix, self.validation_rows)
        if missing:
            self.store.announce(self.prefix, missing, self.images.stage.augmented)

    def _kept(self, epoch: int) -> bool:
        return self.store.lacking(self.prefix, self.train_rows, self._changes(epoch)) == 0

    def _changes(self, epoch: int) -> Augmented | None:
        if not self.images.stage.augmented:
            return None
        return self.images.augmented(np.full(len(self.train_rows), self._view(epoch)))

    def _view(self, epoch: int) -> int:
        """Which view an epoch uses, from 1."""
        return (epoch - 1) % self.images.stage.views + 1

    def _train_features(self, epoch: int) -> np.ndarray:
        images, changes = self.images.data.images, self._changes(epoch)
        return self.store.features(self.prefix, images, self.train_rows, changes)

    def _validation_features(self) -> np.ndarray:
        return self.store.features(self.prefix, self.images.data.images, self.validation_rows)


def through(
    prefix: Outputs, batches: Iterable[np.ndarray], batch_size: int
) -> Iterator[np.ndarray]:
    """Outputs of each batch, computed CHUNK images at a time, so that no part of a chunk is idle.

    Args:
        batches: (batch_size, h, w, c) of images each; the last may be smaller.
    """
    images = chain.from_iterable(batches)
    outputs = chain.from_iterable(prefix(chunk) for chunk in _batched(images, CHUNK))
    return _batched(outputs, batch_size)


def _batched(rows: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    while batch := list(islice(rows, size)):
        yield np.stack(batch)
