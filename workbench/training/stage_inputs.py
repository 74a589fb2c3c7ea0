"""What a stage trains and its inputs: images, or features of the frozen prefix.

The network is split into the frozen prefix, if there is one, and what lies above it. The same part
trains in every case, so cached and streamed features give the same bits.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cached_property
from itertools import chain, islice
from typing import Any

import keras
import numpy as np

from workbench.experiment.plan import Stage
from workbench.messages import tr
from workbench.runs.events import Notice
from workbench.training.accelerator import AcceleratedPrefix, sample_images
from workbench.training.context import TrainingContext
from workbench.training.data import epoch_views
from workbench.training.feature_file import CHUNK
from workbench.training.features import FeatureStore
from workbench.training.inputs import Augmented, plain_batches, train_batches
from workbench.training.pieces import Piece, Pieces, Take, from_batches, pieces, place_on_device
from workbench.training.prefix import FeatureExtractor, Prefix

Rows = np.ndarray


def split_network(context: TrainingContext, stage: Stage) -> tuple[keras.Model, "StageInputs"]:
    """Return the network that the stage trains, above the frozen prefix, and its inputs."""
    model, images = context.model, PackInputs(context, stage)
    if stage.prefix is None:
        return model, images
    prefix = make_prefix(context, stage.prefix)
    suffix = keras.Model(model.get_layer(stage.prefix).output, model.output, name="suffix")
    if not stage.cached:
        return suffix, StreamedInputs(images, prefix)
    assert context.store is not None
    base = context.spec.base
    return suffix, CachedInputs(
        images, prefix, context.store, alone=base is None or base.feature_processes == 1
    )


def make_prefix(context: TrainingContext, cut: str) -> FeatureExtractor:
    """Return the network up to the cut, run by Keras unless the spec chooses an accelerator."""
    on_cpu = context.device.kind == "cpu"
    prefix = Prefix(context.model, cut, on_cpu)
    mode = context.spec.base.accelerator if context.spec.base else "none"

    def notify(message: str) -> None:
        context.emit(Notice(message=message))

    if mode == "none":
        return prefix
    if not on_cpu:
        notify(
            tr("base.accelerator = {mode} is for CPUs: Keras runs the base on the GPU.", mode=mode)
        )
        return prefix
    sample = sample_images(context.data.images, context.data.rows["train"])
    return AcceleratedPrefix(prefix, mode, sample, notify)


class StageInputs(ABC):
    """Inputs of the network that a stage trains."""

    def prepare(self, epoch: int, whole: bool) -> bool:
        """Compute the missing features of the epoch, unless training will do so on the fly.

        Args:
            epoch: from 1.
            whole: the epoch goes through all images once, from the start.

        Returns:
            True if the epoch will compute features that later ones only read.
        """
        return False

    @abstractmethod
    def train(self, epoch: int, order: Rows, batch_size: int, start_step: int) -> Pieces:
        """Return the features or uint8 images of the rows in `order` from `start_step` on."""

    @abstractmethod
    def validation(self, batch_size: int) -> Pieces:
        """Return the validation images, never augmented."""


class PackInputs(StageInputs):
    """The images of the pack, augmented if the stage says so."""

    def __init__(self, context: TrainingContext, stage: Stage) -> None:
        self.data = context.data
        self.stage = stage
        self.augmentation = context.spec.augmentation
        self.seed = context.spec.training.seed
        self.device = context.device
        setting = context.spec.training.augment_on
        self.on_device = setting == "device" or (setting == "auto" and self.device.kind == "gpu")

    def train(self, epoch: int, order: Rows, batch_size: int, start_step: int) -> Pieces:
        """Return pieces; see `StageInputs`."""
        if not self.stage.augmented:
            return pieces(self._placed, order, order, batch_size, start_step)
        if self.on_device:
            return self._with_changes(epoch, order, batch_size, start_step)
        return self._augmented_pieces(epoch, order, batch_size, start_step)

    def validation(self, batch_size: int) -> Pieces:
        """Return pieces; see `StageInputs`."""
        rows = self.data.rows["validation"]
        return pieces(self._placed, rows, rows, batch_size)

    def batches(
        self, epoch: int, order: Rows, batch_size: int, start_step: int
    ) -> AbstractContextManager[Iterator[np.ndarray]]:
        """Return batches of uint8 images (b, h, w, c), augmented on the host if the stage is."""
        changes = self._changes(epoch, order) if self.stage.augmented else None
        steps = range(start_step, -(-len(order) // batch_size))
        return train_batches(self.data.images, order, batch_size, steps=steps, augmentation=changes)

    @contextmanager
    def _augmented_pieces(
        self, epoch: int, order: Rows, batch_size: int, start_step: int
    ) -> Iterator[Take]:
        with self.batches(epoch, order, batch_size, start_step) as batches:
            yield from_batches(batches, order, batch_size, start_step)

    @contextmanager
    def _with_changes(
        self, epoch: int, order: Rows, batch_size: int, start_step: int
    ) -> Iterator[Take]:
        """Yield unchanged images and what the device is to change in them."""
        changes, size = self._changes(epoch, order), self.data.images.shape[1:3]
        first = start_step * batch_size
        with pieces(self._placed, order, order, batch_size, start_step) as take:

            def take_with_changes(limit: int) -> Piece | None:
                nonlocal first
                piece = take(limit)
                if piece is None:
                    return None
                numbers = changes.numbers(piece.rows, first, size)
                first += piece.rows.size
                return replace(piece, changes=numbers)

            yield take_with_changes

    def _changes(self, epoch: int, order: Rows) -> Augmented:
        return self.augmented(epoch_views(len(self.data.rows["train"]), epoch, len(order)))

    @cached_property
    def _placed(self) -> Any:
        return place_on_device(self.data.images, self.device)

    def augmented(self, views: np.ndarray) -> Augmented:
        """Return the augmentation of an order, given the view of each of its images."""
        return Augmented(self.augmentation, self.seed, self.stage.index, views, self.data.contents)


class StreamedInputs(StageInputs):
    """Features computed in every epoch."""

    def __init__(self, images: PackInputs, prefix: FeatureExtractor) -> None:
        self.images = images
        self.prefix = prefix
        self.rows = images.data.rows["validation"]

    @contextmanager
    def train(self, epoch: int, order: Rows, batch_size: int, start_step: int) -> Iterator[Take]:
        """Return pieces; see `StageInputs`."""
        with self.images.batches(epoch, order, batch_size, start_step) as batches:
            features = extract_in_chunks(self.prefix, batches, batch_size)
            yield from_batches(features, order, batch_size, start_step)

    @contextmanager
    def validation(self, batch_size: int) -> Iterator[Take]:
        """Return pieces; see `StageInputs`."""
        data = self.images.data
        batches = (batch for batch, _ in plain_batches(data.images, self.rows, batch_size))
        features = extract_in_chunks(self.prefix, batches, batch_size)
        yield from_batches(features, self.rows, batch_size)


class CachedInputs(StageInputs):
    """Features computed once; with augmentation once for each of K views.

    Epoch e uses view (e - 1) mod K + 1, computed when first needed: while the epoch trains on it if
    that goes through all images from the start, else before.

    Args:
        images: of the stage.
        prefix: computes the features.
        store: keeps them.
        alone: False if other processes help, which they cannot while an epoch trains on a view.
    """

    def __init__(
        self, images: PackInputs, prefix: FeatureExtractor, store: FeatureStore, alone: bool = True
    ) -> None:
        self.images = images
        self.prefix = prefix
        self.store = store
        self.alone = alone
        rows = images.data.rows
        self.train_rows = np.sort(rows["train"])
        self.validation_rows = rows["validation"]
        self.announced = False
        self.computing = False  # a view, in the epoch that was prepared last
        self.placed_view = 0  # of the features that are on the device
        self.placed: Any = None

    def prepare(self, epoch: int, whole: bool) -> bool:
        """Compute missing features; see `StageInputs`."""
        self._announce()
        on_the_fly = self.alone and self.images.stage.augmented and whole
        self.computing = on_the_fly and not self._is_cached(epoch)
        if not self.computing:
            self._train_features(epoch)
        if len(self.validation_rows):
            self._validation_features()
        return self.computing

    def train(self, epoch: int, order: Rows, batch_size: int, start_step: int) -> Pieces:
        """Return pieces; see `StageInputs`."""
        if self.computing:
            return self._compute_on_the_fly(epoch, order, batch_size)
        view = self._view(epoch)
        if self.placed_view != view:
            self.placed = None  # before the next one: one view at a time is on the device
            self.placed = place_on_device(self._train_features(epoch), self.images.device)
            self.placed_view = view
        places = np.searchsorted(self.train_rows, order)
        return pieces(self.placed, places, order, batch_size, start_step)

    def validation(self, batch_size: int) -> Pieces:
        """Return pieces; see `StageInputs`."""
        rows = self.validation_rows
        return pieces(self._placed_validation, np.arange(len(rows)), rows, batch_size)

    @contextmanager
    def _compute_on_the_fly(self, epoch: int, order: Rows, batch_size: int) -> Iterator[Take]:
        places = np.searchsorted(self.train_rows, order)
        with (
            self.store.filling(self.prefix, self.train_rows, self._changes(epoch)) as record,
            self.images.batches(self._view(epoch), order, batch_size, 0) as batches,
        ):
            starts = range(0, len(order), batch_size)
            features = extract_in_chunks(self.prefix, batches, batch_size)
            recorded = (
                record(places[start : start + batch_size], batch)
                for start, batch in zip(starts, features, strict=True)
            )
            yield from_batches(recorded, order, batch_size)

    @cached_property
    def _placed_validation(self) -> Any:
        return place_on_device(self._validation_features(), self.images.device)

    def count_missing(self) -> int:
        """Return how many images have to pass the prefix, each view counted."""
        missing = sum(
            self.store.count_missing(self.prefix, self.train_rows, self._changes(view))
            for view in range(1, self.images.stage.views_made + 1)
        )
        return missing + self.store.count_missing(self.prefix, self.validation_rows)

    def compute_features(self) -> None:
        """Compute what is missing of the store's shard of all views."""
        self._announce()
        for view in range(1, self.images.stage.views_made + 1):
            self._compute(self.train_rows, self._changes(view))
        if len(self.validation_rows):
            self._compute(self.validation_rows)

    def _compute(self, rows: Rows, changes: Augmented | None = None) -> None:
        self.store.compute(self.prefix, self.images.data.images, rows, changes)

    def _announce(self) -> None:
        if self.announced:
            return
        self.announced = True
        if missing := self.count_missing():
            self.store.announce(self.prefix, missing, self.images.stage.augmented)

    def _is_cached(self, epoch: int) -> bool:
        return self.store.count_missing(self.prefix, self.train_rows, self._changes(epoch)) == 0

    def _changes(self, epoch: int) -> Augmented | None:
        if not self.images.stage.augmented:
            return None
        return self.images.augmented(np.full(len(self.train_rows), self._view(epoch)))

    def _view(self, epoch: int) -> int:
        """Return the view that an epoch uses, from 1."""
        return (epoch - 1) % max(self.images.stage.views, 1) + 1

    def _train_features(self, epoch: int) -> np.ndarray:
        images, changes = self.images.data.images, self._changes(epoch)
        return self.store.features(self.prefix, images, self.train_rows, changes)

    def _validation_features(self) -> np.ndarray:
        return self.store.features(self.prefix, self.images.data.images, self.validation_rows)


def extract_in_chunks(
    prefix: FeatureExtractor, batches: Iterable[np.ndarray], batch_size: int
) -> Iterator[np.ndarray]:
    """Yield the features of each batch, computed CHUNK images at a time so that chunks are full.

    Args:
        prefix: computes the features.
        batches: (batch_size, h, w, c) of images each; the last may be smaller.
        batch_size: images a batch.
    """
    images = chain.from_iterable(batches)
    features = chain.from_iterable(prefix(chunk) for chunk in _batched(images, CHUNK))
    return _batched(features, batch_size)


def _batched(rows: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    while batch := list(islice(rows, size)):
        yield np.stack(batch)
