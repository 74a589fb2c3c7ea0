"""A network as a picture: bars for each block and layer, and what its numbers mean. Pure.

Multiply-adds are counted by `bases.kinds` and `experiment.stack`, receptive fields by
`experiment.receptive_field`; here they are added up for blocks and put into sentences.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from workbench.bases.kinds import BATCH_NORM
from workbench.experiment.receptive_field import WHOLE_IMAGE, LayerField, ReceptiveField
from workbench.messages import tr
from workbench.runs.freeze_check import FROZEN, TRAINS, Layer, LayerGroup
from workbench.text import format_count, format_shape, percent, plural, safe_text, table
from workbench.words import shown

Shape = tuple[int, ...]
NOTHING = "-"


@dataclass(frozen=True)
class Part:
    """A block or a layer in numbers.

    Attributes:
        shape: of its output, without the batch.
        before: shape of its input; () if unknown.
        parameters: all of them.
        trained: those of its layers that train.
        multiply_adds: of one forward pass of one image; None if unknown.
        trained_adds: those of its layers that train.
        field: of its output; None if it has no map, or if the field is unknown.
        sees_all: whether it reads whole maps.
        fixed_norms: its frozen layers of batch normalization.
    """

    shape: Shape
    before: Shape = ()
    parameters: int = 0
    trained: int = 0
    multiply_adds: int | None = None
    trained_adds: int = 0
    field: ReceptiveField | None = None
    sees_all: bool = False
    fixed_norms: int = 0


@dataclass(frozen=True)
class NetworkPicture:
    """The parts of a network by the keys of their rows, "block NAME" or "layer NAME".

    Attributes:
        image: (height, width, channels); () if unknown.
        blocks: keys of the parts that together are the network.
    """

    parts: Mapping[str, Part] = field(default_factory=dict)
    image: Shape = ()
    blocks: tuple[str, ...] = ()

    @cached_property
    def whole(self) -> Part:
        """The network as one part."""
        parts = [self.parts[key] for key in self.blocks]
        return Part(
            shape=parts[-1].shape if parts else (),
            parameters=sum(part.parameters for part in parts),
            trained=sum(part.trained for part in parts),
            multiply_adds=_total(part.multiply_adds for part in parts),
            trained_adds=sum(part.trained_adds for part in parts),
        )

    @cached_property
    def most_parameters(self) -> int:
        """Parameters of the largest block: its bar is full."""
        return max((self.parts[key].parameters for key in self.blocks), default=0)

    @cached_property
    def most_adds(self) -> int:
        """Multiply-adds of the block with most."""
        return max((self.parts[key].multiply_adds or 0 for key in self.blocks), default=0)

    @cached_property
    def most_channels(self) -> int:
        """Channels of the map with most."""
        return max((part.shape[2] for part in self.parts.values() if _is_map(part)), default=0)

    def map_shares(self, key: str) -> tuple[float, float] | None:
        """Return how far the lines of a part's map go, from 0 to 1; None without a map.

        They are the square roots of side / side of the image and of channels / most channels:
        sides of 224 to 7 pixels and 16 to 1280 channels would be no picture otherwise.
        """
        part = self.parts.get(key)
        if part is None or not _is_map(part) or not self.image:
            return None
        side = min(max(part.shape[:2]) / max(self.image[:2]), 1.0)  # a map may be padded
        return math.sqrt(side), math.sqrt(part.shape[2] / self.most_channels)


def make_picture(
    groups: Sequence[LayerGroup], fields: Sequence[LayerField], image: Shape
) -> NetworkPicture:
    """Return the parts of a network: its blocks, and their layers.

    Args:
        groups: of the layers, with what trains.
        fields: operations and receptive fields of the layers; () if unknown.
        image: (height, width, channels).
    """
    known = {one.row.name: one for one in fields}
    parts: dict[str, Part] = {}
    blocks = []
    before = image
    for group in groups:
        key = f"layer {group.name}" if group.single else f"block {group.name}"
        if not group.single:
            parts |= {f"layer {one.name}": _part([one], known, ()) for one in group.layers}
        parts[key] = _part(group.layers, known, before)
        blocks.append(key)
        before = group.layers[-1].output_shape
    return NetworkPicture(parts, image, tuple(blocks))


def format_operations(part: Part | None) -> str:
    """Return the multiply-adds of a part; "-" for one without, or if unknown."""
    return format_count(part.multiply_adds) if part and part.multiply_adds else NOTHING


def format_field(part: Part | None) -> str:
    """Return the receptive field of a part: 212 px; "all" if it reads whole maps."""
    if part and part.field:
        return f"{part.field.size:,} px"
    return tr("all") if part and part.sees_all else NOTHING


def layers_within(layers: Sequence[Layer], picture: NetworkPicture) -> list[str]:
    """Return a table of layers and of their numbers, with a line of headings."""
    headers = (tr("within"), "", tr("output"), tr("parameters"), tr("multiply-adds"), tr("field"))
    rows = []
    for layer in layers:
        part = picture.parts.get(f"layer {layer.name}")
        shape = format_shape(layer.output_shape) or NOTHING
        numbers = (f"{layer.parameters:,}", format_operations(part), format_field(part))
        rows.append((safe_text(layer.name, 40), safe_text(shown(layer.kind), 24), shape, *numbers))
    return table(headers, rows, right="llrrrr").split("\n")


def explain_part(picture: NetworkPicture, key: str) -> list[tuple[str, str]]:
    """Return what the numbers of a part mean, as sentences with a label each."""
    part = picture.parts.get(key)
    if part is None:
        return []
    lines = [(tr("weights"), _explain_training(part))]
    if part.parameters:
        lines.append((tr("parameters"), _explain_parameters(part, picture.whole)))
    if part.multiply_adds:
        lines.append((tr("operations"), _explain_operations(part, picture.whole)))
    if part.shape:
        lines.append((tr("output"), _explain_output(part, picture.image)))
    if sentence := _explain_field(part, picture.image[:2]):
        lines.append((tr("field"), sentence))
    return lines


def _explain_training(part: Part) -> str:
    if not part.parameters:
        return tr("no weights: nothing to train")
    if part.trained == part.parameters:
        return tr("trains: all {count:,} parameters", count=part.parameters)
    if not part.trained:
        return tr("frozen: {count:,} parameters stay as they are", count=part.parameters)
    if part.fixed_norms:
        return tr(
            "{trained:,} of {count:,} parameters train; batch normalization is frozen, with its "
            "mean and variance",
            trained=part.trained,
            count=part.parameters,
        )
    return tr(
        "{trained:,} of {count:,} parameters train, the others stay as they are",
        trained=part.trained,
        count=part.parameters,
    )


def _explain_parameters(part: Part, whole: Part) -> str:
    text = tr(
        "{count:,}, {share} of the network",
        count=part.parameters,
        share=_format_share(part.parameters, whole.parameters),
    )
    uses = round((part.multiply_adds or 0) / part.parameters)
    if uses > 1:
        text += "; " + tr("each is used about {uses:,} times an image", uses=uses)
    return text


def _explain_operations(part: Part, whole: Part) -> str:
    return tr(
        "{count} multiply-adds an image, {share} of the network",
        count=format_count(part.multiply_adds or 0),
        share=_format_share(part.multiply_adds or 0, whole.multiply_adds or 0),
    )


def _explain_output(part: Part, image: Shape) -> str:
    count, after = math.prod(part.shape), format_shape(part.shape)
    if part.before and part.before != part.shape:
        after = tr("{before} becomes {after}", before=format_shape(part.before), after=after)
    text = f"{after}: {plural(count, 'value')}"
    if not image or not _is_map(part):
        return text
    return tr(
        "{values}, {share} of those of the image",
        values=text,
        share=_format_share(count, math.prod(image)),
    )


def _explain_field(part: Part, image: Shape) -> str:
    if part.sees_all:
        return tr("receptive field: the whole image, since each value reads the whole map")
    if part.field is None or len(image) != 2:
        return ""
    height, width = image
    size = part.field.size
    sides = str(height) if height == width else format_shape(image)
    text = tr("receptive field {size} of {image} pixels", size=f"{size:,}", image=sides)
    if size < max(image):
        area = min(size, height) * min(size, width)
        return tr(
            "{text}: a value sees {share} of the image, its neighbour {jump} pixels further on",
            text=text,
            share=_format_share(area, height * width),
            jump=part.field.jump,
        )
    if part.field.sees_all(part.shape[:2], (height, width)):
        return tr("{text}: each value sees the whole image", text=text)
    corner = part.field.corner((height, width))
    return tr(
        "{text}: sees the whole image, but in a corner only {corner} of it",
        text=text,
        corner=format_shape(corner),
    )


def _format_share(count: int, whole: int) -> str:
    share = count / whole if whole else 0.0
    return f"<{percent(0.01)}" if 0 < share < 0.005 else percent(share)


def _part(layers: Sequence[Layer], known: Mapping[str, LayerField], before: Shape) -> Part:
    found = [known[layer.name] for layer in layers if layer.name in known]
    last = found[-1] if found and layers[-1].name in known else None
    adds = {one.row.name: one.row.multiply_adds for one in found}
    trained = [layer for layer in layers if layer.requested == TRAINS]
    return Part(
        shape=layers[-1].output_shape,
        before=before,
        parameters=sum(layer.parameters for layer in layers),
        trained=sum(layer.parameters for layer in trained),
        multiply_adds=sum(adds.values()) if len(found) == len(layers) else None,
        trained_adds=sum(adds.get(layer.name, 0) for layer in trained),
        field=last.field if last else None,
        sees_all=last is not None and last.why == WHOLE_IMAGE,
        fixed_norms=sum(one.kind == BATCH_NORM and one.requested == FROZEN for one in layers),
    )


def _total(counts: Iterable[int | None]) -> int | None:
    known = [*counts]
    return None if None in known else sum(filter(None, known))


def _is_map(part: Part) -> bool:
    return len(part.shape) == 3
