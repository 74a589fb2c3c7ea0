"""The tables of a spec, each validated by itself.

Every model is frozen and rejects unknown keys; `experiment/spec_keys.py` formats pydantic's errors.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from workbench.bases.architectures import BASES
from workbench.bases.kinds import BATCH_NORM
from workbench.bases.table import BaseTable
from workbench.experiment.group_pattern import compile_group_pattern
from workbench.experiment.stack import Convolutions
from workbench.messages import tr
from workbench.paths import parse_path
from workbench.text import format_choices, not_allowed

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0, le=10_000_000)]
Gpu = Literal["auto", "none"] | Annotated[int, Field(ge=0, le=1023)]
# Counts first: a strict int rejects 0.5, while 1 would be valid as a fraction.
Share = Annotated[Count | Fraction, Field(union_mode="left_to_right")]


SPLITS = ("train", "validation", "test")


class Section(BaseModel):
    """A table of the spec: frozen, strict in types, closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class SplitSpec(Section):
    """How images are split if the data has no split of its own.

    Either fractions of each class (0.7, 0.15, 0.15) or counts per class (1000, 500, 500).
    A split that the person made in folders is kept; only a missing validation part is taken
    from its training part, by `validation`.
    """

    train: Share = Field(0.7, description="fraction or images per class to train on")
    validation: Share = Field(0.15, description="fraction or images per class to validate on")
    test: Share = Field(0.15, description="fraction or images per class to test on")
    seed: int = Field(1, ge=0, le=2**32 - 1, description="which images fall where")

    @property
    def counts(self) -> bool:
        """True if the parts are images per class, False if they are fractions."""
        return any(isinstance(part, int) and part > 0 for part in self.parts)

    @property
    def parts(self) -> tuple[float | int, float | int, float | int]:
        """Train, validation, test."""
        return self.train, self.validation, self.test

    @model_validator(mode="before")
    @classmethod
    def _one_is_all(cls, values: Any) -> Any:
        """Take a 1 beside zeros as all of the images, not as one of each class."""
        found = isinstance(values, Mapping)
        parts: list[Any] = [values.get(part) for part in SPLITS] if found else []
        if parts and all(type(part) is int for part in parts) and sorted(parts) == [0, 0, 1]:
            return {**values, **{part: float(values[part]) for part in SPLITS}}
        return values

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.counts and any(isinstance(p, float) and p > 0 for p in self.parts):
            raise ValueError(
                tr(
                    "parts are all fractions (0.7) or all images per class (1000), not both: "
                    "{parts}",
                    parts=list(self.parts),
                )
            )
        if not self.counts and math.fsum(self.parts) > 1 + 1e-9:
            raise ValueError(
                tr(
                    "fractions add up to at most 1; train {train:g} + validation {validation:g} + "
                    "test {test:g} make {sum:g}",
                    train=self.train,
                    validation=self.validation,
                    test=self.test,
                    sum=math.fsum(self.parts),
                )
            )
        if not self.train:
            raise ValueError(tr("the training part must hold images; train is 0"))
        return self


class DataSpec(Section):
    """Which images, and how each becomes an array of `image_size` x `channels`."""

    source: str = Field(min_length=1, description="folder of images, CSV file or .npz file")
    image_size: tuple[
        Annotated[int, Field(ge=8, le=1024)], Annotated[int, Field(ge=8, le=1024)]
    ] = Field((150, 150), description="height and width in pixels")
    channels: Literal[1, 3] = Field(3, description="3 for colour (RGB), 1 for grey")
    resize: Literal["stretch", "crop", "pad"] = Field(
        "stretch",
        description="stretch to the size, crop the middle, or pad with black",
    )
    decode: Literal["exact", "fast"] = Field(
        "exact", description="fast reads JPEGs at a reduced size: quicker, pixels differ slightly"
    )
    corrections: str = Field(
        "", max_length=4096, description="file of corrected labels (see `workbench relabel`)"
    )
    group: str = Field(
        "", description="pattern over paths that names the images to keep on one side of a split"
    )
    split: SplitSpec = SplitSpec()

    @field_validator("group")
    @classmethod
    def _bounded_pattern(cls, group: str) -> str:
        if group:
            compile_group_pattern(group)
        return group

    @field_validator("corrections")
    @classmethod
    def _whole_path(cls, corrections: str) -> str:
        if corrections and not corrections.startswith(("/", "~/")):
            if (path := parse_path(corrections)).is_absolute():  # pasted
                return str(path)
            raise ValueError(  # the worker runs in another folder
                not_allowed(corrections, tr("a path that begins with / or ~/"))
            )
        return corrections

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return (*self.image_size, self.channels)


class BaseSpec(Section):
    """A pretrained network below a head of our own."""

    name: str = Field(description="which network")
    weights: str = Field(
        "imagenet",
        min_length=1,
        description="imagenet, random, or a file of weights",
    )
    preprocessing: Literal["own", "rescale"] = Field(
        "own",
        description="own: what the weights were trained with; rescale: 1/255, as the book does",
    )
    trainable: tuple[str, ...] = Field(
        (), max_length=400, description="fine-tuning: blocks or layers that train after the head"
    )
    batch_norm: Literal["frozen", "adapt"] = Field(
        "frozen", description="adapt: batch normalization inside trained blocks trains too"
    )
    prefix: Literal["cached", "streamed"] = Field(
        "cached", description="what lies below all that trains: computed once, or in every epoch"
    )
    prefix_dtype: Literal["float32", "float16"] = Field(
        "float32", description="precision of the cached outputs; float16 takes half the disk"
    )
    accelerator: Literal["none", "exact", "fast"] = Field(
        "none",
        description="on a CPU, OpenVINO runs the prefix: exact, or fast and approximate (int8)",
    )
    feature_processes: int = Field(
        1,
        ge=1,
        le=64,
        description="processes that compute cached outputs, each on a free GPU like the run's",
    )
    views: int = Field(
        0,
        ge=0,
        le=1000,
        description="augmentation: cached views of each image, used in turn; 0: new in each epoch",
    )

    @field_validator("name")
    @classmethod
    def _known_base(cls, name: str) -> str:
        if name not in BASES:
            raise ValueError(not_allowed(name, format_choices(list(BASES))))
        return name

    def trained_layers(self, table: BaseTable) -> tuple[str, ...]:
        """Return the names of the layers that fine-tuning trains.

        Raises:
            BaseError: a name is neither a block nor a layer of the base.
        """
        found: list[str] = []
        for name in self.trainable:
            layers = table.block_layers(name) if name in table.blocks else (table.layer(name),)
            found += [
                layer.name
                for layer in layers
                if layer.parameters and (self.batch_norm == "adapt" or layer.kind != BATCH_NORM)
            ]
        return tuple(dict.fromkeys(found))


class ModelSpec(Section):
    """The network. Its final layer follows from the data: one sigmoid, or a softmax."""

    strategy: Literal["dense", "convnet", "linear-probe", "feature-extraction", "fine-tuning"] = (
        Field(description="what kind of network")
    )
    head: Literal["average", "flatten"] = Field(
        "average", description="pretrained: how the base's map becomes the head's input"
    )
    filters: tuple[Annotated[int, Field(ge=1, le=2048)], ...] = Field(
        (), max_length=12, description="convnet: filters of each block, [32, 64, 128, 128]"
    )
    kernel_size: int = Field(3, ge=1, le=11, description="convnet: side of the window, pixels")
    padding: Literal["valid", "same"] = Field(
        "valid", description="convnet: valid loses the border, same keeps the size"
    )
    stride: int = Field(1, ge=1, le=8, description="convnet: step of the window, pixels")
    pooling: bool | tuple[bool, ...] = Field(
        True, description="convnet: 2x2 max pooling after each block, or a list with one for each"
    )
    dense_units: tuple[Annotated[int, Field(ge=1, le=8192)], ...] = Field(
        (512,), max_length=8, description="units of each dense layer before the last"
    )
    dropout: float = Field(0.0, ge=0, le=0.9, description="share dropped before the dense layers")

    @property
    def pretrained(self) -> bool:
        """True for the strategies that build on a base."""
        return self.strategy in ("linear-probe", "feature-extraction", "fine-tuning")

    @property
    def convolutions(self) -> Convolutions:
        """The convolution blocks; none for the dense baseline."""
        pooling = self.pooling
        if isinstance(pooling, bool):
            pooling = (pooling,) * len(self.filters)
        return Convolutions(self.filters, self.kernel_size, self.padding, self.stride, pooling)

    @model_validator(mode="after")
    def _options_have_an_effect(self) -> Self:
        convnet_only = {"filters", "kernel_size", "padding", "stride", "pooling"}
        idle = sorted(convnet_only & self.model_fields_set)
        if self.strategy != "convnet" and idle:
            kind = tr("the dense baseline") if self.strategy == "dense" else self.strategy
            raise ValueError(
                tr(
                    "{keys}: no effect in {kind}, which has no convolutions of its own; leave out, "
                    'or set strategy = "convnet"',
                    keys=", ".join(idle),
                    kind=kind,
                )
            )
        if not self.pretrained and "head" in self.model_fields_set:
            raise ValueError(
                tr(
                    "head: no effect in a {strategy}, which has no base; leave out",
                    strategy=self.strategy,
                )
            )
        if self.strategy == "convnet" and not self.filters:
            raise ValueError(
                tr(
                    "filters is missing: a convnet needs the filters of each block, such as "
                    "[32, 64, 128, 128]"
                )
            )
        if not isinstance(self.pooling, bool) and len(self.pooling) != len(self.filters):
            raise ValueError(
                tr(
                    "pooling has {entries} entries for {blocks} blocks of filters; give one for "
                    "each, or a single true or false",
                    entries=len(self.pooling),
                    blocks=len(self.filters),
                )
            )
        return self


class EvaluationSpec(Section):
    """What is measured on the test images after training."""

    shift: int = Field(
        0, ge=0, le=64, description="also measure accuracy with images shifted by so many pixels"
    )
    mirror: bool = Field(
        False, description="average the probabilities of an image and its mirror image"
    )
