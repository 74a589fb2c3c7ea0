"""The jobs of `workbench export`: writing a model in other formats, and trying one that was."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.training.environment import prepare_environment
from workbench.worker.device import claim_device

Request = dict[str, Any]
Send = Callable[[dict[str, Any]], None]


def export(request: Request, send: Send) -> dict[str, Any]:
    """Request: model, folder, formats, images (.npy), answers (.npy, to be written).

    Result: labels. `answers` are what the original makes of the images.
    """
    _on_the_cpu()
    import numpy as np

    from workbench.evaluation.export import companions, export_model
    from workbench.evaluation.export_check import in_batches
    from workbench.evaluation.model_file import load_model
    from workbench.files import write_atomic
    from workbench.training.backend import prepare_device

    prepare_device(deterministic=False)
    loaded = load_model(Path(request["model"]))
    answers = in_batches(loaded.model.predict_on_batch, np.load(request["images"]))
    np.save(request["answers"], answers)
    folder = Path(request["folder"])
    for name in request["formats"]:
        send({"event": "progress", "phase": f"write {name}", "done": 0, "total": 0})
        export_model(name, loaded, folder)
    for name, content in companions(loaded).items():
        write_atomic(folder / name, content)
    return {"labels": list(loaded.labels)}


def check_export(request: Request, send: Send) -> dict[str, Any]:
    """Request: format, path, images, answers. Result: difference.

    The difference is the largest between the probabilities of the file and the original's; None
    where they cannot be compared.
    """
    _on_the_cpu()
    import numpy as np

    from workbench.evaluation.export_check import exported, in_batches

    answers = np.load(request["answers"])
    predict = exported(request["format"], Path(request["path"]))
    found = in_batches(predict, np.load(request["images"]))
    if found.shape != answers.shape:
        return {"difference": None}
    difference = float(np.abs(found - answers).max())
    return {"difference": difference if np.isfinite(difference) else None}


def _on_the_cpu() -> None:
    """The CPU's float32 is what every format is held against; keras is not imported yet."""
    claim_device("none")
    prepare_environment()
