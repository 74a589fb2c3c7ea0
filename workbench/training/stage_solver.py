"""Solves a stage that is a linear probe: no steps, no checkpoints.

The base runs once over the training and validation images, and over their mirror images; a linear
classifier of its features is solved and becomes the weights of the model's last layer. Interrupted,
it begins again, with the features that were computed before.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, replace

import keras
import numpy as np

from workbench.experiment.plan import Stage
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stack import FEATURES
from workbench.runs.events import (
    CrossValidated,
    EpochFinished,
    LayersChecked,
    Notice,
    StageFinished,
    TriedValue,
)
from workbench.runs.fields import Position
from workbench.training.context import TrainingContext
from workbench.training.features import FeatureStore
from workbench.training.freeze_check import FreezeCheck, check_layers
from workbench.training.solve import (
    Examples,
    Solution,
    crossentropy,
    on_one_thread,
    predicted,
    solve_classifier,
)
from workbench.training.stage_events import describe_stage
from workbench.training.stage_inputs import make_prefix
from workbench.training.trainer_state import Stopped


def store_of_maps(store: FeatureStore, spec: ExperimentSpec, cut: str) -> FeatureStore:
    """Return a store of the averages of several maps, of which the name of the cut says nothing."""
    if cut != FEATURES:
        return store
    maps = [layer.name for layer in spec.base_table.widest(spec.probe.blocks)]
    return replace(store, identity={**store.identity, "maps": maps})


class StageSolver:
    """Computes the features of a stage, and solves its last layer."""

    def __init__(self, context: TrainingContext, stage: Stage) -> None:
        assert stage.prefix is not None
        assert context.store is not None
        self.context = context
        self.stage = stage
        self.store = context.store
        rows = context.data.rows
        fitted = ("train", "validation") if stage.fits_validation else ("train",)
        self.rows = np.sort(np.concatenate([rows[split] for split in fitted]))
        self.prefix = make_prefix(context, stage.prefix)
        features = context.model.get_layer(stage.prefix).output
        self.model = keras.Model(features, context.model.output, name="suffix")

    def run(self) -> None:
        """Compute the features, solve, set the weights, and check that nothing else moved.

        Raises:
            Stopped: on request.
            UserError: a frozen layer moved; or the disk is full.
        """
        started = time.monotonic()
        for layer in self.context.model.layers:
            layer.trainable = self.stage.trains(layer.name)
        self.context.emit(describe_stage(self.context, self.stage, self.model, 1, jit=False))
        freeze_check = FreezeCheck(self.context.model, self.model, self.stage)
        examples = self._examples()
        probe = self.context.spec.probe
        seed = self.context.spec.training.seed
        with on_one_thread(examples):
            solution = solve_classifier(examples, probe.solver, probe.folds, seed, self._solving)
        self.context.model.get_layer("output").set_weights([solution.kernel, solution.bias])
        self._report(solution, examples, time.monotonic() - started)
        layers = tuple(freeze_check.compare())
        self.context.emit(LayersChecked(stage=self.stage.index, epoch=1, layers=layers))
        if warning := check_layers(layers):
            self.context.emit(Notice(message=warning))
        self.context.emit(
            StageFinished(
                stage=self.stage.index,
                reason="solved",
                kept_epoch=1,
                seconds=time.monotonic() - started,
            )
        )

    def count_missing(self) -> int:
        """Return how many images have to pass the prefix, mirror images counted."""
        return sum(store.count_missing(self.prefix, self.rows) for store in self._stores())

    def compute_features(self) -> None:
        """Compute what is missing of the store's shard of the images and their mirror images."""
        if missing := self.count_missing():
            self.store.announce(self.prefix, missing, False, self.stage.mirrored)
        for store, images in self._passes():
            store.compute(self.prefix, images, self.rows)

    def _passes(self) -> Iterator[tuple[FeatureStore, np.ndarray]]:
        """Yield the images and their mirror images, each with the store of their features."""
        images = self.context.data.images
        return zip(self._stores(), (images, images[:, :, ::-1]), strict=False)

    def _stores(self) -> list[FeatureStore]:
        """Return the stores of the features of the images, and of their mirror images."""
        store = store_of_maps(self.store, self.context.spec, self.prefix.cut)
        if not self.stage.mirrored:
            return [store]
        return [store, replace(store, identity={**store.identity, "mirrored": True})]

    def _examples(self) -> Examples:
        data = self.context.data
        self.compute_features()
        views = [store.features(self.prefix, images, self.rows) for store, images in self._passes()]
        balanced = self.context.spec.training.class_weights == "balanced"
        weights = data.balanced_weights()[self.rows] if balanced else np.ones(len(self.rows))
        groups = None if data.groups is None else data.groups[self.rows]
        return Examples(views, data.labels[self.rows], data.classes, weights, groups)

    def _solving(self, done: int, total: int) -> None:
        """Report progress; stop here if that was requested."""
        if self.context.stop_requested():
            raise Stopped(Position(self.stage.index, 1))
        self.store.progress("cross-validation", done, total)

    def _report(self, solution: Solution, examples: Examples, seconds: float) -> None:
        """Emit what cross-validation found, and the result as the only epoch of the stage.

        Its validation metrics are those of cross-validation; there are no images left that were
        not fitted.
        """
        features = examples.views[0]
        self.context.emit(
            CrossValidated(
                stage=self.stage.index,
                solver=self.context.spec.probe.solver,
                folds=solution.folds,
                images=len(self.rows),
                features=features.shape[1],
                chosen=solution.chosen.value,
                tried=tuple(TriedValue(**asdict(one)) for one in solution.tried),
            )
        )
        logits = features @ solution.kernel + solution.bias
        self.context.emit(
            EpochFinished(
                stage=self.stage.index,
                epoch=1,
                loss=crossentropy(logits, examples),
                accuracy=float(np.mean(predicted(logits) == examples.labels)),
                val_loss=solution.loss,
                val_accuracy=solution.chosen.accuracy,
                seconds=seconds,
                best=True,
            )
        )
