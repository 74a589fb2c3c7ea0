"""Words that files and events keep in English, as people read them.

Splits, states, what freezing did, severities, metrics, options: a program reads their names, a
person their translation.
"""

from workbench.messages import tr

_WORDS = {
    "train": tr("train"), "validation": tr("validation"), "test": tr("test"),
    "training": tr("training"), "evaluating": tr("evaluating"), "preparing": tr("preparing"),
    "starting": tr("starting"), "waiting": tr("waiting"), "finished": tr("finished"),
    "stopped": tr("stopped"), "failed": tr("failed"), "interrupted": tr("interrupted"),
    "pruned": tr("pruned"), "planned": tr("planned"),
    "trains": tr("trains"), "frozen": tr("frozen"), "partly": tr("partly"),
    "error": tr("error"), "warning": tr("warning"), "note": tr("note"),
    "accuracy": tr("accuracy"), "loss": tr("loss"),
    "val_loss": tr("val_loss"), "val_accuracy": tr("val_accuracy"),
    "ladder": tr("ladder"), "sweep": tr("sweep"), "tune": tr("tune"),
    "ridge": tr("ridge"), "logistic": tr("logistic"),
    "all epochs": tr("all epochs"), "early stopping": tr("early stopping"),
    "out of time": tr("out of time"), "solved": tr("solved"),
    "momentum": tr("momentum"), "weight_decay": tr("weight decay"),
    "warmup_epochs": tr("warmup epochs"), "clip_norm": tr("clip norm"),
    "ema": tr("ema"), "label_smoothing": tr("label smoothing"),
    "layer_decay": tr("layer decay"),
    "rotation": tr("rotation"), "width_shift": tr("width shift"),
    "height_shift": tr("height shift"), "shear": tr("shear"), "zoom": tr("zoom"),
    "horizontal_flip": tr("horizontal flip"), "vertical_flip": tr("vertical flip"),
    "brightness": tr("brightness"), "contrast": tr("contrast"),
    "random_crop": tr("random crop"), "fill": tr("fill"), "mixup": tr("mixup"),
    "cutmix": tr("cutmix"),
    # Kinds of layers.
    "convolution": tr("convolution"), "depthwise convolution": tr("depthwise convolution"),
    "separable convolution": tr("separable convolution"), "dense": tr("dense"),
    "max pooling": tr("max pooling"), "average pooling": tr("average pooling"),
    "global pooling": tr("global pooling"), "batch normalization": tr("batch normalization"),
    "layer normalization": tr("layer normalization"), "layer scale": tr("layer scale"),
    "activation": tr("activation"), "stochastic depth": tr("stochastic depth"),
    "zero padding": tr("zero padding"), "reshape": tr("reshape"), "flatten": tr("flatten"),
    "concatenate": tr("concatenate"), "multiply": tr("multiply"), "add": tr("add"),
    "dropout": tr("dropout"),
    # Of the operating system.
    "No such file or directory": tr("No such file or directory"),
    "Permission denied": tr("Permission denied"),
    "Operation not permitted": tr("Operation not permitted"),
    "No space left on device": tr("No space left on device"),
    "Disk quota exceeded": tr("Disk quota exceeded"),
    "Is a directory": tr("Is a directory"),
    "Not a directory": tr("Not a directory"),
    "File exists": tr("File exists"),
    "File name too long": tr("File name too long"),
    "File too large": tr("File too large"),
    "Read-only file system": tr("Read-only file system"),
    "Input/output error": tr("Input/output error"),
    "Stale file handle": tr("Stale file handle"),
    "Too many open files": tr("Too many open files"),
}  # fmt: skip


def shown(name: str) -> str:
    """Return a name of a file or an event in the language of the reader; an unknown one as is."""
    return _WORDS.get(name, name)


def reason_of(error: BaseException) -> str:
    """Return why the operating system refused something, from the outside and so not safe."""
    return shown(getattr(error, "strerror", None) or "") or str(error)
