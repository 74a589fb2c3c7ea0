"""The job `inside`: pictures of what a trained network sees.

Request: what (activations, filters or gradcam), model, and what it takes; `out`, the file of the
picture, or none: then it gets a name in the folder `inside` beside the model. Events: progress,
and for filters a `pattern` each, as it is finished. Pictures in events are PNGs in base64.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.runs.folder import safe_stem
from workbench.training.environment import prepare_environment
from workbench.worker.device import claim_device

if TYPE_CHECKING:
    import numpy as np

    from workbench.evaluation.model_file import LoadedModel

Request = dict[str, Any]
Send = Callable[[dict[str, Any]], None]

FOLDER = "inside"
_STEPS_TOLD = 5  # gradient ascent tells after so many steps how far it is


def inside(request: Request, send: Send) -> dict[str, Any]:
    """Looks inside a model.

    Result: layer, out (the picture's path), words (lines for people), preview (for a terminal).

    Raises:
        UserError: no such model, image, layer, label or filter; or the picture's place is taken.
    """
    from workbench.evaluation.explain.pictures import check_place

    if request.get("out"):  # before anything is computed
        check_place(Path(request["out"]))
    claim_device()
    prepare_environment()
    send({"event": "progress", "phase": "load the network", "done": 0, "total": 0})
    from workbench.evaluation.model_file import load_model
    from workbench.training.backend import prepare_device

    prepare_device(deterministic=True)  # the same seed draws the same pattern
    loaded = load_model(Path(request["model"]))
    looks = {"activations": _activations, "filters": _filters, "gradcam": _grad_cam}
    return looks[request["what"]](loaded, request, send)


def _activations(loaded: "LoadedModel", request: Request, send: Send) -> dict[str, Any]:
    """Takes image and layer (None: the first convolution). Result, too: strongest, dead."""
    from workbench.evaluation.explain.activations import activations
    from workbench.evaluation.explain.layers import read_image
    from workbench.evaluation.explain.pictures import for_event

    image = Path(request["image"])
    found = activations(loaded, read_image(loaded, image), request.get("layer"))
    return {
        "layer": found.layer,
        "out": _saved(request, found.picture, found.layer, image.stem),
        "words": list(found.words),
        "preview": for_event(found.preview),
        "strongest": list(found.strongest),
        "dead": found.dead,
    }


def _grad_cam(loaded: "LoadedModel", request: Request, send: Send) -> dict[str, Any]:
    """Takes image, label and layer, both may be None. Result, too: label, probability.

    With `or_fitting`, another layer is shown in the place of one that does not fit; words say so.
    """
    from workbench.evaluation.explain.gradcam import fitting_layer, grad_cam
    from workbench.evaluation.explain.layers import read_image
    from workbench.evaluation.explain.pictures import for_event

    path = Path(request["image"])
    image = read_image(loaded, path)
    layer, instead = request.get("layer"), ""
    if layer and request.get("or_fitting"):
        layer, instead = fitting_layer(loaded, layer)
    found = grad_cam(loaded, image, request.get("label"), layer)
    return {
        "layer": found.layer,
        "out": _saved(request, found.picture, found.layer, found.label, path.stem),
        "words": [*([instead] if instead else []), *found.words],
        "preview": for_event(found.picture),
        "label": found.label,
        "probability": found.probability,
    }


def _filters(loaded: "LoadedModel", request: Request, send: Send) -> dict[str, Any]:
    """Takes layer, filters (both may be None), steps and seed. Each finished pattern is an event:
    filter, start, end, words, picture."""
    from workbench.evaluation.explain.filters import choose_filters, patterns
    from workbench.evaluation.explain.pictures import for_event, rgb, tiled

    layer, filters, count = choose_filters(loaded, request.get("layer"), request.get("filters"))
    steps, seed = request["steps"], request["seed"]
    total = steps * len(filters)

    def on_step(done: int) -> None:
        if done % _STEPS_TOLD == 0 or done == total:
            send({"event": "progress", "phase": layer, "done": done, "total": total})

    pictures = []
    for pattern in patterns(loaded, layer, filters, steps, seed, on_step):
        pictures.append(rgb(pattern.picture))
        send(
            {
                "event": "pattern",
                "filter": pattern.filter,
                "start": pattern.start,
                "end": pattern.end,
                "words": pattern.words,
                "picture": for_event(pictures[-1]),
            }
        )
    whole = tiled(pictures)
    of_all = f"{len(filters)} of {count} filters" if len(filters) < count else f"{count} filters"
    return {
        "layer": layer,
        "out": _saved(request, whole, layer),
        "words": [f"{layer}: {of_all}, {steps} steps up from grey noise, seed {seed}"],
        "preview": for_event(whole),
    }


def _saved(request: Request, picture: "np.ndarray", *named: str) -> str:
    """Writes the picture where it was asked for, else under a name that says what it shows."""
    from workbench.evaluation.explain.pictures import ENDING, save

    out = request.get("out")
    if not out:
        folder = Path(request["model"]).parent / FOLDER
        folder.mkdir(exist_ok=True)
        words = [request["what"], *(safe_stem(name) for name in named)]
        out = folder / ("-".join(words) + ENDING)
    save(Path(out), picture)
    return str(out)
