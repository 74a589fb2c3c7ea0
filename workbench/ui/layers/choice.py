"""What the keys do to the layers of a draft: the settings to change, or why they cannot."""

from collections.abc import Sequence

from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.spec_advice import (
    format_setting,
    toggle_layers,
    top_blocks,
    trainable_layers,
    trainable_names,
)
from workbench.runs.freeze_check import Layer

WITHOUT_CHOICE = {
    "dense": "A dense network has nothing pretrained to freeze: every layer trains.",
    "convnet": "A convnet starts from random weights, so every layer trains. space removes or "
    "restores the pooling of a layer's block: watch the parameters.",
    "feature-extraction": "Feature extraction trains only the head. To unfreeze blocks of the "
    "base, choose fine-tuning as the strategy.",
}
Settings = tuple[str, ...]


def toggle_row(spec: ExperimentSpec, key: str) -> Settings:
    """Toggle the block or layer of a row; in a convnet the pooling of its block.

    Args:
        spec: of the experiment.
        key: "block NAME" or "layer NAME".
    """
    if spec.model.strategy == "convnet":
        digits = "".join(c for c in key if c in "0123456789")
        pooled = key.startswith(("layer conv", "layer pool")) and digits
        return _toggle_pooling(spec, int(digits)) if pooled else ()
    if spec.base is None:
        return ()
    names = trainable_names(spec.base_table, toggle_layers(spec, key), spec.base.batch_norm)
    return (format_setting("base.trainable", names),)


def _toggle_pooling(spec: ExperimentSpec, block: int) -> Settings:
    """Remove or restore the pooling of a convnet's block; blocks count from 1."""
    pooling = list(spec.model.convolutions.pooling)
    if block > len(pooling):
        return ()
    pooling[block - 1] = not pooling[block - 1]
    return (format_setting("model.pooling", pooling),)


def train_upper_blocks(spec: ExperimentSpec) -> Settings:
    """Train only the upper blocks of the base."""
    return (format_setting("base.trainable", top_blocks(spec.base_table)),) if spec.base else ()


def toggle_error(spec: ExperimentSpec, layers: Sequence[Layer], key: str) -> str:
    """Return why the row of a network with a base cannot be toggled; "" if it can.

    Args:
        spec: of the experiment.
        layers: of its network.
        key: as in `toggle_row`.
    """
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
