"""The part of a script that builds the network: the layers of `training.models`, by name."""

from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.stack import AVERAGE
from workbench.export.script_code import block, number, string

_APPLICATIONS = {
    "vgg16": "VGG16",
    "vgg19": "VGG19",
    "mobilenetv2-0.35": "MobileNetV2",
    "mobilenetv2-1.0": "MobileNetV2",
}


def model_source(spec: ExperimentSpec, classes: int) -> str:
    """The function `build_model`."""
    lines = [
        "def build_model() -> keras.Model:",
        '    """The network; it takes raw pixels, 0 to 255, so preprocessing is inside."""',
        "    keras.utils.set_random_seed(SEED)  # the run began with the same weights",
        '    image = keras.Input((HEIGHT, WIDTH, CHANNELS), name="image")',
    ]
    lines += [*(_base(spec) if spec.base else _convolutions(spec)), *_head(spec, classes)]
    lines += ['    return keras.Model(image, x, name="workbench")']
    return "\n".join(lines)


def _convolutions(spec: ExperimentSpec) -> list[str]:
    blocks = spec.model.convolutions
    lines = ['    x = layers.Rescaling(1 / 255, name="rescale")(image)']
    if blocks.filters:
        lines += [
            "    # A convolution looks through a small window and uses the same weights",
            "    # everywhere; pooling halves the map, so that later windows see more.",
        ]
    for n, (filters, pooled) in enumerate(zip(blocks.filters, blocks.pooling, strict=True), 1):
        strides = f"        strides={blocks.stride},\n" if blocks.stride != 1 else ""
        lines += [
            f"    x = layers.Conv2D(\n        {filters},\n        {blocks.kernel_size},\n{strides}"
            f"        padding={string(blocks.padding)},\n"
            f'        activation="relu",\n        name="conv{n}",\n    )(x)'
        ]
        if pooled:
            lines += [f'    x = layers.MaxPooling2D(2, name="pool{n}")(x)']
    return [*lines, '    x = layers.Flatten(name="flatten")(x)']


def _base(spec: ExperimentSpec) -> list[str]:
    assert spec.base is not None
    weights = {"random": "None", "imagenet": '"imagenet"'}
    alpha = f"        alpha={spec.base.name.rpartition('-')[2]},\n"
    lines = [*_preprocessing(spec), "    # The base has learned to see from other images."]
    lines += [
        f"    base = keras.applications.{_APPLICATIONS[spec.base.name]}(\n"
        f"{alpha if spec.base.name.startswith('mobilenet') else ''}"
        f"        include_top=False,  # without its own classes\n"
        f"        weights={weights.get(spec.base.weights, string(spec.base.weights))},\n"
        f"        input_tensor=x,\n    )"
    ]
    if spec.model.head == AVERAGE:
        return [*lines, '    x = layers.GlobalAveragePooling2D(name="average")(base.output)']
    return [*lines, '    x = layers.Flatten(name="flatten")(base.output)']


def _preprocessing(spec: ExperimentSpec) -> list[str]:
    assert spec.base is not None
    if spec.base.preprocessing == "rescale":
        return ['    x = layers.Rescaling(1 / 255, name="rescale")(image)']
    about = "    # As the base's weights were trained:"
    if spec.base_table.preprocessing == "caffe":
        return [
            f"{about} blue, green, red, minus ImageNet's means.",
            "    means = [-103.939, -116.779, -123.68]",
            '    means = layers.Rescaling(1.0, offset=means, name="subtract_means")',
            "    x = means(image[..., ::-1])",
        ]
    return [
        f"{about} -1 to 1.",
        '    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(image)',
    ]


def _head(spec: ExperimentSpec, classes: int) -> list[str]:
    lines = []
    if spec.model.dropout:
        lines += [
            "    # Hides part of the features at random, in training alone.",
            f'    x = layers.Dropout({number(spec.model.dropout)}, seed=0, name="dropout")(x)',
        ]
    for n, units in enumerate(spec.model.dense_units, 1):
        lines += [f'    x = layers.Dense({units}, activation="relu", name="dense{n}")(x)']
    if classes == 2:
        lines += ["    # One number: the probability of the second label."]
        what = '1, activation="sigmoid"'
    else:
        lines += ["    # A probability for each label; together they make 1."]
        what = f'{classes}, activation="softmax"'
    return [*lines, f'    x = layers.Dense({what}, dtype="float32", name="output")(x)']


def compile_source(spec: ExperimentSpec, classes: int, jit: bool) -> str:
    """The function `compile_model`: an optimizer that is new, and a compile."""
    training = spec.training
    optimizer = {"rmsprop": "RMSprop", "adam": "Adam", "sgd": "SGD"}[training.optimizer]
    if classes == 2:
        loss, metric = "BinaryCrossentropy", "BinaryAccuracy"
    else:
        loss, metric = "SparseCategoricalCrossentropy", "SparseCategoricalAccuracy"
    cosine = """
            # Falls from the full rate to 0 along half a wave, a little with every step.
            rate = keras.optimizers.schedules.CosineDecay(rate, decay_steps=epochs * STEPS)
    """
    schedule = "\n" + block(cosine) if training.schedule == "cosine" else ""
    epochs = ", epochs: int" if schedule else ""
    text = f'''
def compile_model(model: keras.Model, rate: float{epochs}) -> None:
    """A new optimizer and a new compile: without it Keras ignores a changed trainable."""@
    model.compile(
        optimizer=keras.optimizers.{optimizer}(rate),
        loss=keras.losses.{loss}(),
        metrics=[keras.metrics.{metric}(name="accuracy")],
        jit_compile={jit},
    )
'''
    return text.strip("\n").replace("@", schedule.replace("\n", "\n    "))
