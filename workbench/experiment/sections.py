"""The tables of a spec, each validated by itself.

Every model is frozen and rejects unknown keys; `experiment/spec_keys.py` formats pydantic's errors.
"""

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from workbench.bases.architectures import BASES
from workbench.bases.kinds import BATCH_NORM
from workbench.bases.table import BaseTable
from workbench.experiment.deadline import BUDGETS, TimeBudget, UnixTime
from workbench.experiment.group_pattern import compile_group_pattern
from workbench.experiment.metrics import Monitor
from workbench.experiment.optimizers import OPTIMIZERS, OPTION_KEYS
from workbench.experiment.stack import Convolutions
from workbench.messages import tr
from workbench.paths import parse_path
from workbench.text import format_choices, not_allowed

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0, le=10_000_000)]
Gpu = Literal["auto", "none"] | Annotated[int, Field(ge=0, le=1023)]
# Counts first: a strict int rejects 0.5, while 1 would be valid as a fraction.
Share = Annotated[Count | Fraction, Field(union_mode="left_to_right")]


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


# Keys of `training` that only fine-tuning has.
FINE_TUNING_KEYS = (
    "head_epochs",
    "head_learning_rate",
    "layer_decay",
    "unfreeze",
    "unfreeze_epochs",
)


class TrainingSpec(Section):
    """How the network is trained."""

    optimizer: Literal["rmsprop", "adam", "adamw", "sgd"] = Field(
        "rmsprop", description="how gradients become steps; all but sgd adapt their size"
    )
    learning_rate: float = Field(1e-3, gt=0, le=10, description="step size of the optimizer")
    schedule: Literal["constant", "cosine", "plateau"] = Field(
        "constant",
        description="cosine falls to 0 over all epochs; plateau halves after 3 epochs without gain",
    )
    warmup_epochs: float = Field(
        0.0, ge=0, le=1000, description="epochs, or part of one, in which each stage's rate rises"
    )
    momentum: float = Field(
        0.0, ge=0, lt=1, description="sgd: share of the last step that goes on, such as 0.9"
    )
    weight_decay: float = Field(
        0.0, ge=0, le=1, description="adamw, sgd: kernels shrink by rate x this in each step"
    )
    clip_norm: float = Field(
        0.0, ge=0, le=1e6, description="longer gradients are shortened to this norm; 0: never"
    )
    ema: float = Field(
        0.0, ge=0, lt=1, description="decay of averaged weights to evaluate and keep; 0: none"
    )
    label_smoothing: float = Field(
        0.0, ge=0, le=0.9, description="share of a label spread over all, in the training loss"
    )
    batch_size: int = Field(32, ge=1, le=65536, description="images a step")
    epochs: int = Field(30, ge=1, le=100_000, description="passes over the images at most")
    head_epochs: int = Field(
        10, ge=1, le=100_000, description="fine-tuning: epochs of the head before blocks train"
    )
    head_learning_rate: float = Field(
        1e-3, gt=0, le=10, description="fine-tuning: step size while only the head trains"
    )
    head_start: Literal["random", "solved"] = Field(
        "random", description="solved: a linear head begins as a linear probe of its features"
    )
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="fine-tuning: factor on the rate for each block further down"
    )
    unfreeze: Literal["at once", "gradual"] = Field(
        "at once", description="fine-tuning: gradual adds one block after the other from the top"
    )
    unfreeze_epochs: int = Field(
        2, ge=1, le=100_000, description="gradual: epochs of each block before the next one"
    )
    steps_per_epoch: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="steps that make an epoch; left out: each image once"
    )
    shuffle: Literal["images", "blocks"] = Field(
        "images",
        description="blocks: in stretches, for a pack larger than memory on a slow disk",
    )
    early_stopping: int = Field(
        0, ge=0, le=10_000, description="stop after so many epochs without gain; 0: never"
    )
    monitor: Monitor = Field("val_loss", description="what decides whether an epoch was better")
    keep: Literal["best", "last"] = Field(
        "best", description="the epoch whose weights become the model"
    )
    class_weights: Literal["none", "balanced"] = Field(
        "none", description="balanced weighs images of rare classes more"
    )
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = Field(
        "auto", description="auto: mixed_float16 where `check` saw it train on a GPU, else float32"
    )
    backend: Literal["auto", "tensorflow", "jax"] = Field(
        "auto", description="framework that trains; auto: KERAS_BACKEND, keras.json, or TensorFlow"
    )
    jit: Literal["auto", "on", "off"] = Field(
        "auto", description="compile steps with XLA; auto: on a GPU where `check` saw it faster"
    )
    augment_on: Literal["auto", "host", "device"] = Field(
        "auto",
        description="who augments where the whole network trains; auto: the GPU if there is one",
    )
    out_of_memory: Literal["stop", "retry"] = Field(
        "stop", description="retry: continue with half the batch in a fresh process"
    )
    gpu: Gpu = Field(
        "auto", description="auto: the freest; none: the CPU; or a number as nvidia-smi counts"
    )
    devices: int = Field(
        1, ge=1, le=64, description="GPUs that share each batch; batch_size is that of all together"
    )
    seed: int = Field(
        1, ge=0, le=2**32 - 1, description="draws of weights, order, dropout, augmentation"
    )
    deterministic: bool = Field(False, description="bit-identical repeats, at some cost in speed")
    time_budget: TimeBudget | None = Field(
        None,
        description='how long the run may take, "1h30m": fewer epochs if needed; left out: no end',
        json_schema_extra={"allowed": BUDGETS},
    )
    deadline: UnixTime | None = Field(
        None, description="unix seconds at which the run has to be finished; see --by; 0: none"
    )

    @property
    def optimizer_slots(self) -> int:
        """Numbers that the optimizer keeps for each trained weight."""
        return OPTIMIZERS[self.optimizer].slots + bool(self.momentum) + bool(self.ema)

    @model_validator(mode="after")
    def _recipe_has_an_effect(self) -> Self:
        for key in OPTION_KEYS:
            if (value := getattr(self, key)) and key not in OPTIMIZERS[self.optimizer].options:
                able = [name for name, info in OPTIMIZERS.items() if key in info.options]
                raise ValueError(
                    tr(
                        "{key} is {value:g}, but {optimizer} has none: no effect; set it to 0, or "
                        "set optimizer = {able}",
                        key=key,
                        value=value,
                        optimizer=self.optimizer,
                        able=format_choices(able),
                    )
                )
        if self.warmup_epochs and self.schedule == "plateau":
            raise ValueError(
                tr(
                    "warmup_epochs is {epochs:g}, but schedule = 'plateau' lowers the rate by what "
                    "it sees: set it to 0, or set schedule = 'constant' or 'cosine'",
                    epochs=self.warmup_epochs,
                )
            )
        if self.devices > 1 and isinstance(self.gpu, int):
            raise ValueError(
                tr(
                    "devices is {devices}, but gpu = {gpu} names one GPU: set gpu = 'auto', or set "
                    "devices = 1",
                    devices=self.devices,
                    gpu=self.gpu,
                )
            )
        usual = type(self).model_fields["unfreeze_epochs"].default
        if self.unfreeze == "at once" and self.unfreeze_epochs != usual:
            raise ValueError(
                tr(
                    "unfreeze_epochs is {epochs}: no effect with unfreeze = 'at once'; leave out, "
                    "or set unfreeze = 'gradual'",
                    epochs=self.unfreeze_epochs,
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
