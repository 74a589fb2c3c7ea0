"""The worst errors with their pictures, inside the page."""

import base64
import io
from collections.abc import Sequence

from PIL import Image

from workbench.datasets.images import ImageError
from workbench.export.html import shown
from workbench.export.pictures import RunPictures
from workbench.runs.results import WorstError

SIDE = 160  # pixels at most
_SMALL = 64  # pixels up to which single ones are shown as squares


def error_gallery(worst: Sequence[WorstError], pictures: RunPictures) -> str:
    """A picture of each error with what is told of it; "" without errors."""
    if not worst:
        return ""
    figures = "\n".join(_figure(error, pictures) for error in worst)
    return f'<div class="errors">\n{figures}\n</div>'


def data_uri(picture: Image.Image) -> str:
    """The picture inside an address, at most 160 pixels wide and high."""
    small = picture.copy()
    small.thumbnail((SIDE, SIDE))
    kind = "PNG" if max(small.size) <= _SMALL else "JPEG"
    content = io.BytesIO()
    small.save(content, kind, quality=85)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(content.getvalue()).decode()}"


def _figure(error: WorstError, pictures: RunPictures) -> str:
    path, label, predicted = shown(error.path), shown(error.label), shown(error.predicted)
    told = f"{label}, taken for {predicted} with {error.probability:.0%}"
    try:
        picture = pictures.picture(error.path, (SIDE, SIDE))
    except ImageError as problem:
        drawn = f'<div class="missing">no picture: {shown(problem.reason)}</div>'
    else:
        kind = ' class="small"' if max(picture.size) <= _SMALL else ""
        drawn = f'<img{kind} src="{data_uri(picture)}" alt="{path}: {told}">'
    return (
        f"<figure>{drawn}<figcaption>{told}<br>"
        f'<span class="soft">{path}</span></figcaption></figure>'
    )
