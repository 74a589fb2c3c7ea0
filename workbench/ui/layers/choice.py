"""What a row of a draft's layers can be asked to do: the settings that do it, or why it cannot."""

from collections.abc import Sequence

from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.spec_advice import (
    setting,
    toggled,
    top_blocks,
    trainable_layers,
    trainable_names,
)
from workbench.runs.freeze_check import Layer

CHOICELESS = {
    "dense": "A dense network has nothing pretrained to freeze: every layer trains.",
    "convnet": "A convnet starts from random weights, so every layer trains. space or 1-9 take "
    "the pooling of a block away, or put it back: watch the parameters.",
    "feature-extraction": "Feature extraction trains the head alone. To unfreeze blocks of the "
    "base, choose fine-tuning as the strategy.",
}
Settings = tuple[str, ...]


def row_toggled(spec: ExperimentSpec, key: str) -> Settings:
    """Switches the block or layer of a row on or off; in a convnet its block's pooling.

    Args:
        key: "block NAME" or "layer NAME".
    """
    if spec.model.strategy == "convnet":
        digits = "".join(c for c in key if c in "0123456789")
        pooled = key.startswith(("layer conv", "layer pool")) and digits
        return pooling_toggled(spec, int(digits)) if pooled else ()
    if spec.base is None:
        return ()
    names = trainable_names(spec.base_table, toggled(spec, key), spec.base.batch_norm)
    return (setting("base.trainable", names),)


def pooling_toggled(spec: ExperimentSpec, block: int) -> Settings:
    """Takes the pooling of a convnet's block away, or puts it back; blocks count from 1."""
    pooling = list(spec.model.convolutions.pooling)
    if block > len(pooling):
        return ()
    pooling[block - 1] = not pooling[block - 1]
    return (setting("model.pooling", pooling),)


def upper_only(spec: ExperimentSpec) -> Settings:
    """Trains the upper part of the base alone."""
    return (setting("base.trainable", top_blocks(spec.base_table)),) if spec.base else ()


def refusal(spec: ExperimentSpec, layers: Sequence[Layer], key: str) -> str:
    """Why the row of a network with a base cannot be switched; "" where it can."""
    kind, _, name = key.partition(" ")
    base = spec.base
    layer = next((layer for layer in layers if layer.name == name), None)
    if base is None or name == "head" or (layer and kind == "layer" and layer.block == "head"):
        return "The head is new and starts at random: it always trains."
    block = name if kind == "block" else layer.block if layer else ""
    able = trainable_layers(spec.base_table, block, base.batch_norm)
    if name in able or (kind == "block" and able):
        return ""
    if layer and layer.parameters:
        return "Batch normalization stays frozen; base.batch_norm = adapt would let it train."
    return f"{name} has no weights to train."
