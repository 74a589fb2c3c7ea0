"""The available bases by name, and their tables at any image size.

`bases.toml` lists them; `tables` holds the layers of each, generated from Keras's own networks
(`make bases`). Adding one is a line in the list.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from workbench.bases.kinds import Shape, measure
from workbench.bases.table import IMAGE, BaseError, BaseLayer, BaseTable
from workbench.messages import tr
from workbench.text import format_choices, format_shape, safe_text

TABLES = Path(__file__).parent / "tables"
NATIVE_SIZE = (224, 224)  # where no image size is known yet

Size = tuple[int, int]


@dataclass(frozen=True)
class Preprocessing:
    """What a base's weights expect of an image of values 0 to 255: (image - mean) / spread.

    Attributes:
        means: of the channels, in their order.
        spreads: likewise.
        bgr: whether the order of the channels is blue, green, red.
    """

    means: tuple[float, float, float]
    spreads: tuple[float, float, float]
    bgr: bool = False


PREPROCESSING = {
    "caffe": Preprocessing((103.939, 116.779, 123.68), (1.0,) * 3, bgr=True),
    "tf": Preprocessing((127.5,) * 3, (127.5,) * 3),
    "centred": Preprocessing((128.0,) * 3, (128.0,) * 3),
    "lite": Preprocessing((127.0,) * 3, (128.0,) * 3),
    # ImageNet's mean and standard deviation.
    "torch": Preprocessing(
        (0.485 * 255, 0.456 * 255, 0.406 * 255), (0.229 * 255, 0.224 * 255, 0.225 * 255)
    ),
}


@dataclass(frozen=True)
class BaseInfo:
    """A line of `bases.toml`, completed by its family; see there.

    Attributes:
        name: as in a spec.
        family: its title, "ConvNeXt".
        top1: published accuracy on ImageNet, percent.
        source: of this figure.
        bytes: of the published files of weights, by side of the image, where they are known.
        licence: of the weights, where it was published with them.
        package: of the Python package index with the weights; "" where Keras publishes a file.
        file: of the package.
        sha256: of this file.
    """

    name: str
    family: str
    title: str
    paper: str
    keras: str
    preprocessing: str
    image_size: int
    smallest_size: int
    blocks: tuple[tuple[str, str], ...]
    top: tuple[str, ...]
    top1: float
    source: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    bytes: Mapping[str, int] = field(default_factory=dict)
    licence: str = ""
    package: str = ""
    file: str = ""
    sha256: str = ""

    @property
    def recommended_size(self) -> Size:
        """(height, width) that the recommended presets take."""
        return self.image_size, self.image_size

    @cached_property
    def table(self) -> BaseTable:
        """Its layers at the recommended size."""
        return base_table(self.name, self.recommended_size)

    @cached_property
    def stored(self) -> dict[str, Any]:
        """The content of its generated file: `weights` and `blocks`."""
        content: dict[str, Any] = json.loads(
            (TABLES / f"{self.name}.json").read_text(encoding="utf-8")
        )
        return content


def _read_list() -> dict[str, BaseInfo]:
    path = Path(__file__).with_name("bases.toml")
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    found = {}
    for name, own in content["bases"].items():
        family = content["families"][own["family"]]
        values = family | own | {"family": family["title"]}
        values["arguments"] = family.get("arguments", {}) | own.get("arguments", {})
        values["blocks"] = tuple((pattern, block) for pattern, block in values["blocks"])
        values["top"] = tuple(values["top"])
        found[name] = BaseInfo(name=name, **values)
    return found


BASES: dict[str, BaseInfo] = _read_list()


def base_info(name: str) -> BaseInfo:
    """Return the line of a base.

    Raises:
        BaseError: There is no such base.
    """
    if name not in BASES:
        raise BaseError(
            tr(
                'there is no base "{name}"; allowed are {choices}',
                name=safe_text(name),
                choices=format_choices([*BASES]),
            )
        )
    return BASES[name]


@lru_cache(maxsize=64)
def base_table(name: str, input_size: Size = NATIVE_SIZE) -> BaseTable:
    """Return the table of a base at an image size.

    Args:
        name: A key of `BASES`.
        input_size: (height, width).

    Raises:
        BaseError: There is no such base, or the images are too small for it.
    """
    base = base_info(name)
    if min(input_size) < base.smallest_size:
        least = base.smallest_size
        raise BaseError(
            tr(
                "{title} needs images of at least {least}x{least} pixels, received {input_size}",
                title=base.title,
                least=least,
                input_size=format_shape(input_size),
            )
        )
    image = (*input_size, 3)
    return BaseTable(
        name,
        base.title,
        tuple(_layers(base.stored["blocks"], image)),
        image,
        base.preprocessing,
        base.top,
    )


def _layers(blocks: Mapping[str, list[list[Any]]], image: Shape) -> list[BaseLayer]:
    shapes, last = {IMAGE: image}, IMAGE
    found = []
    for block, rows in blocks.items():
        for name, kind, config, *others in rows:
            inputs = tuple(others[0]) if others else (last,)
            has = measure(kind, config, tuple(shapes[one] for one in inputs))
            found.append(
                BaseLayer(
                    name,
                    kind,
                    block,
                    has.shape,
                    has.parameters,
                    has.non_trainable,
                    has.multiply_adds,
                    inputs,
                    config,
                )
            )
            shapes[name], last = has.shape, name
    return found
