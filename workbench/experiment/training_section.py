"""How a network is trained: the table `training` of a spec."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from workbench.experiment.deadline import BUDGETS, TimeBudget, UnixTime
from workbench.experiment.metrics import Monitor
from workbench.experiment.optimizers import OPTIMIZERS, OPTION_KEYS
from workbench.experiment.sections import Gpu, Section
from workbench.messages import tr
from workbench.text import format_choices

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
    def optimizer_options(self) -> dict[str, Any]:
        """Arguments of Keras's optimizer, beside its learning rate."""
        options: dict[str, Any] = {}
        if self.momentum:
            options |= {"momentum": self.momentum, "nesterov": True}
        if self.weight_decay or OPTIMIZERS[self.optimizer].own_decay:
            options["weight_decay"] = self.weight_decay
        if self.clip_norm:
            options["global_clipnorm"] = self.clip_norm
        if self.ema:
            options |= {"use_ema": True, "ema_momentum": self.ema}
        return options

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
