"""Advice on optimizer, schedule, unfreezing and mixing: settings that do not do what they say."""

from collections.abc import Callable

from workbench.experiment.advice import SpecAdvice, format_setting
from workbench.experiment.plan import plan_stages, rate_factors, trained_blocks
from workbench.experiment.spec import ExperimentSpec
from workbench.messages import tr
from workbench.text import plural

LOWEST_FACTOR = 1e-3  # of the rate; a block that has less hardly moves
USUAL_DECAY = 0.05
FEW_EPOCHS = 10  # for mixed images, whose labels are never those of one image


def advise_recipe(spec: ExperimentSpec, train: int) -> list[SpecAdvice | None]:
    """Return what each rule says, None for nothing.

    Args:
        spec: the experiment.
        train: number of training images.
    """
    return [rule(spec, train) for rule in _RULES]


def _weight_decay(spec: ExperimentSpec, train: int) -> SpecAdvice | None:
    if spec.training.optimizer != "adamw" or spec.training.weight_decay:
        return None
    return SpecAdvice(
        "weight-decay",
        tr("adamw without weight decay is adam: training.weight_decay is 0."),
        (format_setting("training.weight_decay", USUAL_DECAY),),
        tr("weight decay {usual_decay}", usual_decay=USUAL_DECAY),
    )


def _warm_up(spec: ExperimentSpec, train: int) -> SpecAdvice | None:
    """Warn of a stage that ends before its rate has risen."""
    warmup = spec.training.warmup_epochs
    short = [stage for stage in plan_stages(spec) if not stage.is_solved and stage.epochs <= warmup]
    if not short:
        return None
    return SpecAdvice(
        "warm-up",
        tr(
            "The learning rate rises for {warmup:g} epochs, and stage {index} has "
            "{epochs}: it never trains at its full rate.",
            warmup=warmup,
            index=short[0].index + 1,
            epochs=short[0].epochs,
        ),
        (format_setting("training.warmup_epochs", 0.5),),
        tr("half an epoch"),
    )


def _gradual(spec: ExperimentSpec, train: int) -> SpecAdvice | None:
    """Warn of a gradual way with a single step."""
    if spec.training.unfreeze == "at once" or len(trained_blocks(spec)) > 1:
        return None
    return SpecAdvice(
        "gradual",
        tr(
            "Only one block of the base trains, so unfreezing it gradually is the "
            "same as at once: training.unfreeze_epochs has no effect."
        ),
        (
            format_setting("training.unfreeze", tr("at once")),
            format_setting("training.unfreeze_epochs", 2),
        ),
        tr("at once"),
    )


def _layer_rates(spec: ExperimentSpec, train: int) -> SpecAdvice | None:
    """Warn of blocks that train in name only."""
    if spec.model.strategy != "fine-tuning":
        return None
    factors = rate_factors(spec)
    lowest = trained_blocks(spec)[-1][0]
    if (factor := factors.get(lowest, 1.0)) >= LOWEST_FACTOR:
        return None
    blocks = spec.base_table.blocks
    block = spec.base_table.layer(lowest).block
    depth = len(blocks) - blocks.index(block)
    gentler = round(LOWEST_FACTOR ** (1 / depth) + 0.005, 2)
    return SpecAdvice(
        "layer-rates",
        tr(
            "With layer_decay {decay:g}, {block} has {factor:.1e} of the learning "
            "rate: it hardly moves, and costs as much as if it did.",
            decay=spec.training.layer_decay,
            block=block,
            factor=factor,
        ),
        (format_setting("training.layer_decay", gentler),),
        tr("layer_decay {gentler:g}, or train fewer blocks", gentler=gentler),
    )


def _mixing(spec: ExperimentSpec, train: int) -> SpecAdvice | None:
    """Warn of mixed images in few epochs, or without a partner."""
    names = [name for name in ("mixup", "cutmix") if getattr(spec.augmentation, name)]
    if not names:
        return None
    off = tuple(format_setting(f"augmentation.{name}", 0.0) for name in names)
    if min(spec.training.batch_size, train) < 2:
        why = tr("each image is mixed with the next one of its batch, and a batch has one image")
    elif spec.training.epochs < FEW_EPOCHS:
        why = tr(
            "hardly any image is seen unmixed in {epochs}, and mixing pays over many",
            epochs=plural(spec.training.epochs, "epoch"),
        )
    else:
        return None
    return SpecAdvice(
        "mixing",
        tr("{names}: {why}.", names=tr(" and ").join(names), why=why),
        off,
        tr("no mixing"),
    )


_RULES: tuple[Callable[[ExperimentSpec, int], SpecAdvice | None], ...] = (
    _weight_decay,
    _warm_up,
    _gradual,
    _layer_rates,
    _mixing,
)
