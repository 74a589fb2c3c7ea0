"""A corpus of hostile inputs, to be pointed at by hand or by a test.

    PYTHONPATH=tests python -m hostile.make_corpus FOLDER

makes FOLDER, which must not exist: names/, images/, archives/, tables/, specs/, models/, deep/ and
too-deep/. Nothing in it is run by looking at it, and all of it can be removed with `rm -r`.
"""

import sys
from pathlib import Path

from hostile import bad_archives, bad_images, bad_models, bad_names, bad_specs, bad_tables


def make_corpus(folder: Path) -> Path:
    """Makes everything; returns the folder.

    Raises:
        FileExistsError: the folder is there already.
    """
    folder.mkdir()
    sound = bad_images.image()
    bad_names.class_folders(folder / "names", sound)
    bad_names.deep_folder(folder, sound)
    bad_names.too_deep_folder(folder / "too-deep", sound)
    bad_images.write_all(folder / "images" / "one")
    for number in range(3):
        two = folder / "images" / "two"
        two.mkdir(exist_ok=True)
        (two / f"{number}.png").write_bytes(bad_images.image(shade=10 * number))
    bad_archives.write_all(folder / "archives")
    bad_models.write_all(folder / "models")
    _tables(folder / "tables", sound)
    _specs(folder / "specs")
    return folder


def _tables(folder: Path, sound: bytes) -> None:
    tables = {**bad_tables.CSV_READ, **bad_tables.CSV_REFUSED}
    for name, (content, _) in tables.items():
        own = folder / "csv" / name
        own.mkdir(parents=True)
        bad_tables.write_csv(own, content, sound)
    (folder / "npz").mkdir()
    for name, (changes, _) in bad_tables.NPZ_REFUSED.items():
        bad_tables.npz(folder / "npz" / f"{name}.npz", **changes())
    (folder / "idx").mkdir()
    for name, (content, _) in bad_tables.IDX_REFUSED.items():
        (folder / "idx" / name).write_bytes(content)


def _specs(folder: Path) -> None:
    folder.mkdir()
    for name, (content, _) in bad_specs.REFUSED.items():
        whole = content if isinstance(content, bytes) else content.encode()
        (folder / f"{name}.toml").write_bytes(whole)


if __name__ == "__main__":
    make_corpus(Path(sys.argv[1]))
