"""The job `explain`: pictures of what a trained network responds to.

Request: what (activations, filters or gradcam), model, and its arguments; `out`, the file of the
picture, or none for a name in the folder `inside` beside the model. Events: progress, and for
filters a `pattern` each, as it is finished. Pictures in events are PNGs in base64.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.messages import tr
from workbench.runs.folder import safe_stem
from workbench.worker.jobs import JobEvents, Request
from workbench.worker.startup import claim_device, start_keras

if TYPE_CHECKING:
    import numpy as np

    from workbench.evaluation.model_file import LoadedModel

FOLDER = "inside"
_STEPS_PER_EVENT = 5  # of gradient ascent, between two progress events


def explain(request: Request, events: JobEvents) -> dict[str, Any]:
    """Run the job.

    Result: layer, out (path of the picture), words (lines for people), preview (for a terminal).

    Raises:
        UserError: There is no such model, image, layer, label or filter; or the file of the
            picture exists and is not a picture of the workbench.
    """
    from workbench.evaluation.pictures import check_output_path

    if request.get("out"):  # before anything is computed
        check_output_path(Path(request["out"]))
    claim_device()
    events.send("progress", phase=tr("load the network"), done=0, total=0)
    start_keras(deterministic=True)  # the same seed draws the same pattern
    from workbench.evaluation.model_file import load_model

    loaded = load_model(Path(request["model"]))
    methods = {"activations": _activations, "filters": _filters, "gradcam": _grad_cam}
    return methods[request["what"]](loaded, request, events)


def _activations(loaded: "LoadedModel", request: Request, events: JobEvents) -> dict[str, Any]:
    """Draw the activations of a layer.

    Request: image, layer (None: the first convolution). Result, too: strongest, dead.
    """
    from workbench.evaluation.activations import activations, read_image
    from workbench.evaluation.pictures import encode_base64

    image = Path(request["image"])
    found = activations(loaded, read_image(loaded, image), request.get("layer"))
    return {
        "layer": found.layer,
        "out": _save(request, found.picture, found.layer, image.stem),
        "words": list(found.summary),
        "preview": encode_base64(found.preview),
        "strongest": list(found.strongest),
        "dead": found.dead,
    }


def _grad_cam(loaded: "LoadedModel", request: Request, events: JobEvents) -> dict[str, Any]:
    """Draw a heat map of an image.

    Request: image, label and layer (both may be None), or_fitting: True to replace a layer that
    has no positions by another, with a line on it. Result, too: label, probability.
    """
    from workbench.evaluation.activations import read_image
    from workbench.evaluation.gradcam import grad_cam, usable_layer
    from workbench.evaluation.pictures import encode_base64

    path = Path(request["image"])
    image = read_image(loaded, path)
    layer, replacement = request.get("layer"), ""
    if layer and request.get("or_fitting"):
        layer, replacement = usable_layer(loaded, layer)
    found = grad_cam(loaded, image, request.get("label"), layer)
    return {
        "layer": found.layer,
        "out": _save(request, found.picture, found.layer, found.label, path.stem),
        "words": [*([replacement] if replacement else []), *found.summary],
        "preview": encode_base64(found.picture),
        "label": found.label,
        "probability": found.probability,
    }


def _filters(loaded: "LoadedModel", request: Request, events: JobEvents) -> dict[str, Any]:
    """Draw the patterns to which filters respond most, each with an event when it is finished.

    Request: layer, filters (both may be None), steps, seed. Events: `pattern` with filter, start,
    end, words, picture.
    """
    from workbench.evaluation.activations import choose_filters, patterns
    from workbench.evaluation.pictures import encode_base64, rgb, tile_images

    layer, filters, count = choose_filters(loaded, request.get("layer"), request.get("filters"))
    steps, seed = request["steps"], request["seed"]
    total = steps * len(filters)

    def on_step(done: int) -> None:
        if done % _STEPS_PER_EVENT == 0 or done == total:
            events.send("progress", phase=layer, done=done, total=total)

    pictures = []
    for pattern in patterns(loaded, layer, filters, steps, seed, on_step):
        pictures.append(rgb(pattern.picture))
        fields = {
            "filter": pattern.filter,
            "start": pattern.start,
            "end": pattern.end,
            "words": pattern.summary,
            "picture": encode_base64(pictures[-1]),
        }
        events.send("pattern", **fields)
    picture = tile_images(pictures)
    number = (
        tr("{filters} of {count} filters", filters=len(filters), count=count)
        if len(filters) < count
        else tr("{count} filters", count=count)
    )
    return {
        "layer": layer,
        "out": _save(request, picture, layer),
        "words": [
            tr(
                "{layer}: {number}, {steps} steps up from grey noise, seed {seed}",
                layer=layer,
                number=number,
                steps=steps,
                seed=seed,
            )
        ],
        "preview": encode_base64(picture),
    }


def _save(request: Request, picture: "np.ndarray", *names: str) -> str:
    """Write the picture to the requested file, else to one whose name describes it."""
    from workbench.evaluation.pictures import ENDING, save

    out = request.get("out")
    if not out:
        folder = Path(request["model"]).parent / FOLDER
        folder.mkdir(exist_ok=True)
        parts = [request["what"], *(safe_stem(name) for name in names)]
        out = folder / ("-".join(parts) + ENDING)
    save(Path(out), picture)
    return str(out)
