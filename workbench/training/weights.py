"""Loads pretrained weights into a base; a file is checked completely before any is set."""

from pathlib import Path

import h5py
import keras

from workbench.bases.architectures import BASES, base_table
from workbench.bases.table import BaseTable
from workbench.bases.weights import check_weights_file, weights_file
from workbench.errors import UserError
from workbench.text import format_shape, safe_text
from workbench.training.hdf5 import DAMAGE, ForeignFile, Shapes, StoredLayer, stored_layers


def load_base_weights(model: keras.Model, table: BaseTable, path: Path) -> None:
    """Set the weights of a base's layers from a file, as Keras itself would.

    Layers are matched by name. If the file has other names (the published MobileNetV2 files are
    older than Keras's present ones), they are matched by order, as in Keras; in both cases each
    shape must fit.

    Args:
        model: holds the layers of `table` under their names; other layers are left unchanged.
        table: at any image size, since weights fit all of them.
        path: of the weights.

    Raises:
        UserError: the file is missing, cut short, damaged, or holds other layers or shapes (the
            first difference is named). The model is unchanged then.
    """
    check_weights_file(path)
    shown = safe_text(path, 2000)
    targets = {
        layer.name: model.get_layer(layer.name).weights
        for layer in table.layers
        if layer.parameters
    }
    expected = {
        name: tuple(tuple(variable.shape) for variable in variables)
        for name, variables in targets.items()
    }
    try:
        with h5py.File(path, "r") as file:
            stored = _match_layers(table, expected, stored_layers(file))
            values = [layer.values() for layer in stored]
    except ForeignFile as error:
        raise UserError(
            f"{shown} does not hold weights of {table.title}: {error.problem}.", error.hint
        ) from None
    except DAMAGE as error:
        raise UserError(
            f"{shown} cannot be read: it is cut short or damaged ({safe_text(error)}).",
            f"Copy it again; its size here is {path.stat().st_size:,} bytes.",
        ) from None
    for variables, arrays in zip(targets.values(), values, strict=True):
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)


def _match_layers(
    table: BaseTable, expected: dict[str, Shapes], stored: list[StoredLayer]
) -> list[StoredLayer]:
    """Return the stored layers in the expected order; raise ForeignFile if one does not fit."""
    by_name = {layer.name: layer for layer in stored}
    if expected.keys() <= by_name.keys():
        matched = [by_name[name] for name in expected]
    else:
        matched = stored[: len(expected)]
    for (name, shapes), layer in zip(expected.items(), matched, strict=False):
        if layer.shapes != shapes:
            raise ForeignFile(
                f"its layer {safe_text(layer.name)} has {_format_shapes(layer.shapes)} where "
                f"{name} needs {_format_shapes(shapes)}{_describe_guess(stored, table)}"
            )
    if len(matched) < len(expected):
        missing = list(expected)[len(matched)]
        raise ForeignFile(
            f"it has {len(stored)} layers with weights where {len(expected)} are needed; the "
            f"first that is missing is {missing}{_describe_guess(stored, table)}"
        )
    used = {layer.name for layer in matched}
    if extra := [layer for layer in stored if layer.name not in used]:
        names = ", ".join(safe_text(layer.name) for layer in extra[:4])
        if all(layer.is_dense for layer in extra):
            without = weights_file(table.name, table.input_shape[:2]).name
            raise ForeignFile(
                f"it is the file with the classifying top ({names})",
                f"Give the one without it, which Keras publishes as {without}.",
            )
        raise ForeignFile(f"it has more layers ({names}){_describe_guess(stored, table)}")
    return matched


def _describe_guess(stored: list[StoredLayer], wanted: BaseTable) -> str:
    """Name another base that these layers may belong to; "" if there is none."""
    found = sorted(layer.parameters for layer in stored if not layer.is_dense)
    for name in BASES:
        table = base_table(name)
        own = sorted(layer.parameters for layer in table.layers if layer.parameters)
        if found == own and name != wanted.name:
            return f". It looks like {table.title}"
    return ""


def _format_shapes(shapes: Shapes) -> str:
    return " and ".join(format_shape(shape) for shape in shapes)
