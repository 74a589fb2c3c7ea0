"""The jobs of `workbench export`: write a model in other formats, and verify an exported one.

Both use the CPU, whose float32 is the reference of every format.
"""

from pathlib import Path
from typing import Any

from workbench.worker.jobs import JobEvents, Request
from workbench.worker.startup import claim_device, prepare_environment, start_keras


def export(request: Request, events: JobEvents) -> dict[str, Any]:
    """Run the job `export`.

    Request: model, folder, formats, images (.npy), answers (.npy, receives the original's
    probabilities of the images). Result: labels.
    """
    claim_device("none")
    start_keras()
    import numpy as np

    from workbench.evaluation.export import export_model, metadata_files, predict_in_batches
    from workbench.evaluation.model_file import load_model
    from workbench.files import write_atomic

    loaded = load_model(Path(request["model"]))
    expected = predict_in_batches(loaded.model.predict_on_batch, np.load(request["images"]))
    np.save(request["answers"], expected)
    folder = Path(request["folder"])
    for name in request["formats"]:
        events.send("progress", phase=f"write {name}", done=0, total=0)
        export_model(name, loaded, folder)
    for name, content in metadata_files(loaded).items():
        write_atomic(folder / name, content)
    return {"labels": list(loaded.labels)}


def check_export(request: Request, events: JobEvents) -> dict[str, Any]:
    """Run the job `check-export`.

    Request: format, path, images, answers. Result: difference, the largest between the
    probabilities of the file and those of the original; None if they cannot be compared.
    """
    claim_device("none")
    prepare_environment()  # a format that needs no keras is read without it
    import numpy as np

    from workbench.evaluation.export import load_exported, predict_in_batches

    expected = np.load(request["answers"])
    predict = load_exported(request["format"], Path(request["path"]))
    found = predict_in_batches(predict, np.load(request["images"]))
    if found.shape != expected.shape:
        return {"difference": None}
    difference = float(np.abs(found - expected).max())
    return {"difference": difference if np.isfinite(difference) else None}
