"""Formats of phones that Pillow reads with a package of its own, or in newer versions alone.

HEIC and HEIF come with `pillow-heif`; AVIF with Pillow, where it was built with it.
"""

from PIL import features

try:
    import pillow_heif
except ImportError:
    pillow_heif = None

HEIF, AVIF = "HEIF", "AVIF"
_ENDINGS = {HEIF: (".heic", ".heif", ".hif"), AVIF: (".avif",)}
_INSTALL = {
    HEIF: "pip install 'convnet-workbench[heif]'",
    AVIF: "pip install --upgrade pillow",
}
_BRANDS = {
    HEIF: (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
    AVIF: (b"avif", b"avis"),
}
START = 12  # bytes of a file that tell its format


def readable_endings() -> dict[str, tuple[str, ...]]:
    """The formats that can be read here, with the endings of their files' names."""
    found = {}
    if pillow_heif is not None:
        pillow_heif.register_heif_opener()
        found[HEIF] = _ENDINGS[HEIF]
    if AVIF.lower() in features.modules and features.check(AVIF.lower()):
        found[AVIF] = _ENDINGS[AVIF]
    return found


def how_to_read(ending: str) -> str:
    """What makes files of this ending readable; "" where nothing is known that does.

    Args:
        ending: in small letters, with its dot.
    """
    for name, endings in _ENDINGS.items():
        if ending in endings:
            return f"`{_INSTALL[name]}` makes {endings[0][1:].upper()} images readable"
    return ""


def unreadable_format(start: bytes) -> str | None:
    """Why a file that begins with these bytes cannot be read, where it is of such a format."""
    for name, brands in _BRANDS.items():
        if start[4:8] == b"ftyp" and start[8:12] in brands and name not in readable_endings():
            ending = _ENDINGS[name][0]
            return f"it is {ending[1:].upper()}, which is not read here; {how_to_read(ending)}"
    return None
