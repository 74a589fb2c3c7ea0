"""The experiment as a person writes it: `spec.toml`, its tables checked against one another."""

from typing import Self

from pydantic import Field, field_validator, model_validator

from workbench.bases.architectures import BASES, base_table
from workbench.bases.table import BaseError, BaseTable
from workbench.experiment.augmentation import AugmentationSpec
from workbench.experiment.linear_probe import LAYERS, STEPS_ONLY, STREAMED, ProbeSpec
from workbench.experiment.presets import PRESETS
from workbench.experiment.sections import BaseSpec, DataSpec, EvaluationSpec, ModelSpec, Section
from workbench.experiment.stack import AVERAGE, StackError, convolution_stack
from workbench.experiment.training_section import FINE_TUNING_KEYS, TrainingSpec
from workbench.messages import tr
from workbench.text import format_choices, not_allowed


class ExperimentSpec(Section):
    """An experiment: everything that a run depends on."""

    name: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="name of the run's folder; left out: made from the data and a number",
        json_schema_extra={
            "allowed": tr(
                "up to 64 letters, digits, dots, dashes and underscores, "
                "beginning with a letter or digit"
            )
        },
    )
    preset: str | None = Field(None, max_length=64, description="the preset this grew from")
    data: DataSpec
    augmentation: AugmentationSpec = AugmentationSpec()
    model: ModelSpec
    base: BaseSpec | None = Field(None, description="the pretrained network to build on")
    probe: ProbeSpec = ProbeSpec()
    training: TrainingSpec = TrainingSpec()
    evaluation: EvaluationSpec = EvaluationSpec()

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, preset: str | None) -> str | None:
        if preset is not None and preset not in PRESETS:
            raise ValueError(not_allowed(preset, format_choices(list(PRESETS))))
        return preset

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        height, width = self.data.image_size
        self._base_fits()
        try:
            convolution_stack(self.data.input_shape, self.model.convolutions)
        except StackError as error:
            raise ValueError(f"model.filters: {error}") from None
        if not self.data.split.validation and self.model.strategy != "linear-probe":
            self._refuse_needs_of_validation()
        if self.evaluation.shift >= min(height, width):
            raise ValueError(
                tr(
                    "evaluation.shift is {shift} pixels, but images are {height}x{width}; it must "
                    "be smaller than the shorter side",
                    shift=self.evaluation.shift,
                    height=height,
                    width=width,
                )
            )
        return self

    @property
    def base_table(self) -> BaseTable:
        """The base's layers at the spec's image size; only for strategies with a base."""
        assert self.base is not None
        return base_table(self.base.name, self.data.image_size)

    def with_mirror(self, mirror: bool) -> Self:
        """Return the spec with another `evaluation.mirror`."""
        evaluation = self.evaluation.model_copy(update={"mirror": mirror})
        return self.model_copy(update={"evaluation": evaluation})

    def _base_fits(self) -> None:
        strategy = self.model.strategy
        if strategy != "linear-probe":
            self._refuse_idle("probe", tuple(ProbeSpec.model_fields))
        if not self.model.pretrained:
            if self.base is not None:
                raise ValueError(
                    tr("[base]: no effect with strategy {strategy!r}; leave out", strategy=strategy)
                )
            self._refuse_idle("training", (*FINE_TUNING_KEYS, "head_start"))
            return
        if self.base is None:
            raise ValueError(
                tr(
                    "[base] is missing: {strategy} needs a pretrained network, such as "
                    'name = "vgg16" (allowed: {allowed})',
                    strategy=strategy,
                    allowed=format_choices(list(BASES)),
                )
            )
        if self.data.channels != 3:
            raise ValueError(
                tr(
                    "data.channels is 1, but a pretrained base reads 3: set channels = 3, and grey "
                    "images become RGB"
                )
            )
        try:
            table = self.base_table
            trained = self.base.trained_layers(table)
        except BaseError as error:
            raise ValueError(f"base: {error}") from None
        if strategy == "fine-tuning" and not trained:
            raise ValueError(
                tr(
                    "base.trainable is empty: fine-tuning needs blocks or layers to train, such as "
                    '["{last}"]; the blocks of {title} are {blocks}',
                    last=table.blocks[-1],
                    title=table.title,
                    blocks=", ".join(table.blocks),
                )
            )
        if strategy != "fine-tuning":
            self._refuse_idle("base", ("trainable", "batch_norm"))
            self._refuse_idle("training", FINE_TUNING_KEYS)
        if strategy == "linear-probe":
            self._probe_fits()
        if self.training.head_start == "solved":
            self._solved_head_fits()
        if self.augmentation.cutmix and table.deepest_cut(set(trained)) is not None:
            raise ValueError(
                tr(
                    "augmentation.cutmix is {cutmix:g}, but what trains reads features of the "
                    "frozen part of {title}, and CutMix pastes parts of images; set it to 0 (mixup "
                    "works on features too), or train from {block} up",
                    cutmix=self.augmentation.cutmix,
                    title=table.title,
                    block=table.blocks[0],
                )
            )
        if self.training.devices > 1 and self.base.batch_norm == "adapt":
            raise ValueError(
                tr(
                    "training.devices is {devices}, but base.batch_norm = 'adapt' measures whole "
                    "batches, of which each device has a part; set devices = 1, or set batch_norm "
                    "= 'frozen'",
                    devices=self.training.devices,
                )
            )
        if self.base.views and not self.augmentation.active:
            raise ValueError(
                tr(
                    "base.views is {views}, but augmentation is off: every view would be the same; "
                    "switch a change on, or set views = 0",
                    views=self.base.views,
                )
            )

    def _probe_fits(self) -> None:
        """Refuse what describes training by steps: a linear probe is solved at once."""
        self._refuse_idle("model", LAYERS)
        self._refuse_idle("base", STREAMED)
        self._refuse_idle("training", STEPS_ONLY)
        if self.augmentation.active or self.augmentation.mixup or self.augmentation.cutmix:
            raise ValueError(
                tr(
                    "augmentation: no effect with strategy 'linear-probe', whose images are passed "
                    "through the base once; leave out, or use feature-extraction. probe.mirror "
                    "adds mirror images"
                )
            )

    def _solved_head_fits(self) -> None:
        """Check that the head is one linear layer above averages, which can be solved."""
        self._refuse_idle("training", ("head_epochs", "head_learning_rate"), tr("a solved head"))
        wrong = [f"dense_units = {list(self.model.dense_units)}"] if self.model.dense_units else []
        wrong += [f"head = {self.model.head}"] if self.model.head != AVERAGE else []
        if wrong:
            raise ValueError(
                tr(
                    "training.head_start = solved needs a linear head; received model.{wrong}, "
                    'allowed: dense_units = [] and head = "average"',
                    wrong=wrong[0],
                )
            )

    def _refuse_idle(self, table: str, names: tuple[str, ...], why: str = "") -> None:
        idle = [name for name in names if name in getattr(self, table).model_fields_set]
        if idle:
            why = why or tr("strategy {strategy}", strategy=repr(self.model.strategy))
            key = f"{table}.{idle[0]}"
            raise ValueError(tr("{key}: no effect with {why}; leave out", key=key, why=why))

    def _refuse_needs_of_validation(self) -> None:
        training = self.training
        if training.early_stopping:
            need = f"early_stopping = {training.early_stopping}"
        elif training.keep == "best":
            need = 'keep = "best"'
        elif training.schedule == "plateau":
            need = 'schedule = "plateau"'
        else:
            return
        raise ValueError(
            tr(
                "training.{need} needs validation images, and data.split.validation is 0; give it "
                'a share, or set training.early_stopping = 0, training.keep = "last" and a '
                "schedule other than plateau",
                need=need,
            )
        )
