"""The published files of weights: their names, addresses, sizes and hashes. Nothing is invented."""

from dataclasses import dataclass

from workbench.bases.architectures import BASES

ANY_SIZE = (224, 224)  # of the file that stands for every other size of the image


@dataclass(frozen=True)
class WeightsFile:
    """A published file.

    Attributes:
        name: File name.
        url: Where it is published; "" for a file of a package.
        size: Bytes, or None where none were published.
        digest: "md5:<hex>" or "sha256:<hex>" as published, or None.
        image_size: Side in pixels of the images it was trained with.
        package: Of the Python package index that holds it; "" for a download.
    """

    name: str
    url: str
    size: int | None
    digest: str | None
    image_size: int = 224
    package: str = ""


def weights_file(base: str, image_size: tuple[int, int]) -> WeightsFile:
    """Return the file that Keras uses for a base, or that of a package.

    Keras has one of MobileNetV2 for five square sizes; other bases have one.

    Args:
        base: A key of `BASES`.
        image_size: (height, width).
    """
    info = BASES[base]
    if info.package:
        digest = f"sha256:{info.sha256}"
        return WeightsFile(info.file, "", None, digest, info.image_size, info.package)
    files = info.stored["weights"]
    height, width = image_size
    side = str(height if height == width and str(height) in files else ANY_SIZE[0])
    file = files[side]
    return WeightsFile(
        file["name"], file["url"], info.bytes.get(side), file["digest"] or None, int(side)
    )


def file_bytes(base: str) -> int:
    """Return the size of a base's file: about four bytes for each of its numbers."""
    info = BASES[base]
    return info.bytes.get(str(ANY_SIZE[0]), 4 * info.table.parameters)
