"""Formats of phones that Pillow reads only with an extra package or in newer versions.

HEIC and HEIF come with `pillow-heif`; AVIF with Pillow, where it was built with it.
"""

from PIL import features

from workbench import pip_install

try:
    import pillow_heif
except ImportError:
    pillow_heif = None

_HEIF, _AVIF = "HEIF", "AVIF"
_EXTENSIONS = {_HEIF: (".heic", ".heif", ".hif"), _AVIF: (".avif",)}
_INSTALL = {_HEIF: pip_install("heif"), _AVIF: "pip install --upgrade pillow"}
_BRANDS = {
    _HEIF: (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
    _AVIF: (b"avif", b"avis"),
}
SIGNATURE_BYTES = 12  # at the start of a file; they show its format


def readable_extensions() -> dict[str, tuple[str, ...]]:
    """Return the formats that can be read here, with the extensions of their file names."""
    found = {}
    if pillow_heif is not None:
        pillow_heif.register_heif_opener()
        found[_HEIF] = _EXTENSIONS[_HEIF]
    if _AVIF.lower() in features.modules and features.check(_AVIF.lower()):
        found[_AVIF] = _EXTENSIONS[_AVIF]
    return found


def how_to_read(extension: str) -> str:
    """Return a sentence on how to make such files readable; "" where none is known.

    Args:
        extension: In lower case, with its dot.
    """
    for name, extensions in _EXTENSIONS.items():
        if extension in extensions:
            return f"`{_INSTALL[name]}` makes {extensions[0][1:].upper()} images readable"
    return ""


def unreadable_format(start: bytes) -> str | None:
    """Return why a file that starts with these bytes cannot be read; None for other formats."""
    for name, brands in _BRANDS.items():
        if start[4:8] == b"ftyp" and start[8:12] in brands and name not in readable_extensions():
            extension = _EXTENSIONS[name][0]
            return (
                f"it is {extension[1:].upper()}, which is not read here; {how_to_read(extension)}"
            )
    return None
