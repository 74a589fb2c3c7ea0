"""Where the workbench keeps what it can measure again."""

import os
from collections.abc import Mapping
from pathlib import Path


def cache_folder(environment: Mapping[str, str]) -> Path:
    """$XDG_CACHE_HOME/workbench, else ~/.cache/workbench; nothing is made.

    As the specification of the XDG folders asks, a value that is no absolute path counts as none.
    """
    given = environment.get("XDG_CACHE_HOME", "")
    if given.startswith("/"):
        return Path(given, "workbench")
    home = environment.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - never raises
    return Path(home, ".cache", "workbench")
