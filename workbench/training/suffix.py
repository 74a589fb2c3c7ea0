"""A stage's network, cut in two: what trains, and the frozen prefix that feeds it."""

from typing import TYPE_CHECKING

import keras

from workbench.experiment.plan import Stage
from workbench.training.accelerator import AcceleratedPrefix, sample_of
from workbench.training.features import Outputs, Prefix
from workbench.training.stage_inputs import CachedInputs, PackInputs, StageInputs, StreamedInputs

if TYPE_CHECKING:
    from workbench.training.trainer import Engine


def split(engine: "Engine", stage: Stage) -> tuple[keras.Model, StageInputs]:
    """The network that the stage trains, and its inputs: above and below the frozen prefix."""
    images = PackInputs(engine.data, stage, engine.spec.augmentation, engine.spec.training.seed)
    if stage.prefix is None:
        return engine.model, images
    prefix = _prefix(engine, stage.prefix)
    suffix = keras.Model(
        engine.model.get_layer(stage.prefix).output, engine.model.output, name="suffix"
    )
    if not stage.cached:
        return suffix, StreamedInputs(images, prefix)
    assert engine.store is not None
    return suffix, CachedInputs(images, prefix, engine.store)


def _prefix(engine: "Engine", cut: str) -> Outputs:
    """The network up to the cut, run by Keras unless the spec says otherwise and it can be."""
    prefix = Prefix(engine.model, cut, on_cpu=engine.device.kind == "cpu")
    mode = engine.spec.base.accelerator if engine.spec.base else "none"

    def note(message: str) -> None:
        engine.tell("notice", message=message)

    if mode == "none":
        return prefix
    if engine.device.kind != "cpu":
        note(f"base.accelerator = {mode} is for CPUs: Keras runs the base on the GPU.")
        return prefix
    sample = sample_of(engine.data.images, engine.data.rows["train"])
    return AcceleratedPrefix(prefix, mode, sample, note)
