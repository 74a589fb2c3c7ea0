"""Writes the tables of the pretrained networks from Keras's own: `make bases`.

    python tools/base_tables.py [NAME ...]

Each network of workbench/bases/bases.toml is built without weights and read layer by layer into
workbench/bases/tables/NAME.json, with the address and hash of the file of weights that Keras would
download for it. What Keras builds from several pieces is written as plain layers: a small network
inside the network as its layers, a grouped convolution of one channel a group as a depthwise one,
arithmetic between layers as the layer that does it.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import efficientnet_lite
import keras
from keras import layers
from keras.src.utils import file_utils

from workbench.bases.architectures import BASES, TABLES, BaseInfo
from workbench.bases.table import IMAGE

SIDE = 160  # pixels of the image that a network is built on; a table has no size in it
# Sides for which Keras may publish weights of their own; the last stands for every other size.
WEIGHTS_SIDES = (96, 128, 160, 192, 224)

Row = tuple[str, str, dict[str, Any], list[str]]  # name, kind, configuration, inputs


def main(names: list[str]) -> None:
    """Write the tables of the bases of these names, of all without."""
    for name in names or BASES:
        path = TABLES / f"{name}.json"
        path.write_text(
            format_table(make_table(BASES[name], build(BASES[name], SIDE))), encoding="utf-8"
        )
        print(f"{path.name}: {path.stat().st_size:,} bytes")


def make_table(base: BaseInfo, model: keras.Model) -> dict[str, Any]:
    """Return the content of a base's file, read from its network."""
    blocks: dict[str, list[list[Any]]] = {}
    below, last = base.blocks[0][1], IMAGE
    for name, kind, config, inputs in rows(model):
        below = block_of(name, base) or below
        row: list[Any] = [name, kind, config]
        if inputs != [last]:
            row.append(inputs)
        blocks.setdefault(below, []).append(row)
        last = name
    return {"weights": weights_files(base), "blocks": blocks}


def format_table(table: dict[str, Any]) -> str:
    """Return a table as JSON, one line a layer."""
    blocks = [
        f"  {json.dumps(block)}: [\n"
        + ",\n".join(f"   {json.dumps(row)}" for row in rows)
        + "\n  ]"
        for block, rows in table["blocks"].items()
    ]
    weights = [
        f"  {json.dumps(side)}: {json.dumps(file)}" for side, file in table["weights"].items()
    ]
    files = "{\n" + ",\n".join(weights) + "\n }" if weights else "{}"
    return "{\n" + f' "weights": {files},\n' + ' "blocks": {\n' + ",\n".join(blocks) + "\n }\n}\n"


def build(base: BaseInfo, side: int, **options: Any) -> keras.Model:
    """Build a base as Keras does, without weights and preprocessing."""
    keras.backend.clear_session()  # names that Keras makes up count from the first again
    image = keras.Input((side, side, 3), name=IMAGE)
    make = getattr(keras.applications, base.keras, None) or getattr(efficientnet_lite, base.keras)
    arguments = {"include_top": False, "weights": None, "input_tensor": image}
    return make(**arguments | dict(base.arguments) | options)


def block_of(name: str, base: BaseInfo) -> str:
    """Return the block that the rules of a base name for a layer; "" if none does."""
    for pattern, block in base.blocks:
        if found := re.search(pattern, name):
            return found.expand(block)
    return ""


def rows(model: keras.Model) -> Iterator[Row]:
    """Yield the layers of a network in order."""
    made: dict[int, str] = {}  # the layer that makes a tensor, by the tensor's id
    for operation, sources, output in _operations(model):
        if isinstance(operation, layers.InputLayer):
            made[id(output)] = IMAGE
            continue
        inputs = [made[id(source)] for source in sources]
        if _is_constant_arithmetic(operation, sources):  # part of a hard sigmoid, below
            made[id(output)] = inputs[0]
            continue
        name, kind, config = _describe(operation, inputs)
        if kind == "activation" and _adds_three(operation):
            config = {"function": "hard_sigmoid"}
        made[id(output)] = name
        yield name, kind, config, inputs


def _operations(model: keras.Model) -> Iterator[tuple[Any, list[Any], Any]]:
    """Yield operation, inputs and output; those of a network inside in its place."""
    for operation in model.operations:
        node = operation._inbound_nodes[-1]
        sources, output = node.input_tensors, node.outputs[0]
        if isinstance(operation, keras.Sequential):
            for position, layer in enumerate(operation.layers):
                last = position == len(operation.layers) - 1
                made = output if last else layer
                yield layer, sources, made
                sources = [made]
        else:
            yield operation, sources, output


def _is_constant_arithmetic(operation: Any, sources: list[Any]) -> bool:
    """Return whether an operation only adds or multiplies by a number."""
    return not isinstance(operation, keras.Layer) and len(sources) == 1


def _adds_three(operation: Any) -> bool:
    """Return whether ReLU6 reads x + 3: MobileNetV3's hard sigmoid, relu6(x + 3) / 6."""
    below = operation._inbound_nodes[-1].input_tensors[0]._keras_history.operation
    return isinstance(operation, layers.ReLU) and not isinstance(below, keras.Layer)


def _describe(operation: Any, inputs: list[str]) -> tuple[str, str, dict[str, Any]]:
    """Return name, kind and configuration of a layer.

    Raises:
        NotImplementedError: it is of no kind of `workbench.bases.kinds`.
    """
    name, kind, config = operation.name, "", {}
    match operation:
        case layers.DepthwiseConv2D():
            kind, config = "depthwise convolution", _window_of(operation)
        case layers.SeparableConv2D():
            kind = "separable convolution"
            config = {"filters": operation.filters} | _window_of(operation)
        case layers.Conv2D(groups=1):
            kind, config = "convolution", {"filters": operation.filters} | _window_of(operation)
        case layers.Conv2D() if operation.groups == operation.filters == operation.input.shape[-1]:
            kind, config = "depthwise convolution", _window_of(operation)
        case layers.Dense():
            kind, config = "dense", {"units": operation.units} | _ends(operation)
        case layers.BatchNormalization():
            assert operation.scale
            assert operation.center
            kind = "batch normalization"
            config = {"epsilon": operation.epsilon, "momentum": operation.momentum}
        case layers.LayerNormalization():
            kind, config = "layer normalization", {"epsilon": operation.epsilon}
        case layers.ReLU():
            kind = "activation"
            config = {"function": "relu6" if operation.max_value == 6 else "relu"}
        case layers.Activation():
            kind, config = "activation", {"function": _function(operation)}
        case layers.MaxPooling2D() | layers.AveragePooling2D():
            kind = (
                "max pooling" if isinstance(operation, layers.MaxPooling2D) else "average pooling"
            )
            config = {
                "window": _square(operation.pool_size),
                "stride": _square(operation.strides),
            } | _padding(operation)
        case layers.GlobalAveragePooling2D():
            kind, config = "global pooling", {"keep": True} if operation.keepdims else {}
        case layers.ZeroPadding2D():
            kind, config = "zero padding", _zeros(operation)
        case layers.Reshape():
            kind, config = "reshape", {"shape": list(operation.target_shape)}
        case layers.Concatenate():
            kind = "concatenate"
        case layers.Multiply():
            kind = "multiply"
        case layers.Add():
            kind = "add"
        case layers.Dropout():
            assert list(operation.noise_shape[1:]) == [1, 1, 1]  # of whole images
            kind, config = "stochastic depth", {"rate": operation.rate}
        case _ if type(operation).__name__ == "LayerScale":
            kind, config = "layer scale", {"initial": operation.init_values}
        case _ if type(operation).__name__ == "Add":  # a + b, which Keras gives a counted name
            kind, name = "add", f"{inputs[-1].rpartition('_')[0]}_add"
        case _:
            raise NotImplementedError(f"{name}: {type(operation).__name__}")
    return name, kind, config


def _window_of(layer: Any) -> dict[str, Any]:
    config: dict[str, Any] = {"kernel": _square(layer.kernel_size)}
    if (stride := _square(layer.strides)) != 1:
        config["stride"] = stride
    assert _square(layer.dilation_rate) == 1
    return config | _padding(layer) | _ends(layer)


def _padding(layer: Any) -> dict[str, Any]:
    return {} if layer.padding == "valid" else {"padding": layer.padding}


def _ends(layer: Any) -> dict[str, Any]:
    """Return what follows a product: no bias, an activation."""
    config: dict[str, Any] = {} if layer.use_bias else {"bias": False}
    if (function := _function(layer)) != "linear":
        config["activation"] = function
    return config


def _function(layer: Any) -> str:
    """Return the name of an activation, in its present form."""
    name = layer.activation.__name__
    return {"swish": "silu", "hard_swish": "hard_silu"}.get(name, name)


def _zeros(layer: layers.ZeroPadding2D) -> dict[str, Any]:
    """Return a padding; one that depends on the size was computed for even sides here."""
    zeros = [list(side) for side in layer.padding]
    (top, bottom), (left, right) = zeros
    if top == left == bottom - 1 == right - 1:
        return {"before": 2 * bottom + 1}
    return {"zeros": zeros}


def _square(sides: tuple[int, int]) -> int:
    first, second = sides
    assert first == second
    return first


class _Requested(Exception):  # noqa: N818 - ends a construction
    """Keras has asked for a file."""


def weights_files(base: BaseInfo) -> dict[str, dict[str, str]]:
    """Return name, address and hash of the files that Keras downloads, by side of the image.

    The last one is for all other sizes; {} if Keras has none of this network.
    """
    if base.package:
        return {}
    asked: list[dict[str, str]] = []

    def get_file(fname: str, origin: str, file_hash: str | None = None, **_: Any) -> str:
        algorithm = "sha256" if len(file_hash or "") == 64 else "md5"
        digest = f"{algorithm}:{file_hash}" if file_hash else ""
        asked.append({"name": fname, "url": origin, "digest": digest})
        raise _Requested

    real, file_utils.get_file = file_utils.get_file, get_file
    try:
        for side in WEIGHTS_SIDES:
            try:
                build(
                    base, side, weights="imagenet", input_tensor=None, input_shape=(side, side, 3)
                )
            except _Requested:
                if str(side) not in asked[-1]["name"]:  # one file for all sizes
                    return {str(WEIGHTS_SIDES[-1]): asked[-1]}
    finally:
        file_utils.get_file = real
    return dict(zip(map(str, WEIGHTS_SIDES), asked, strict=True))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main(sys.argv[1:])
