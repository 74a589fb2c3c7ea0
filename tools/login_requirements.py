"""Write requirements-login.txt: what runs are prepared, submitted and watched with.

A login node of a cluster needs no framework; it installs the package with --no-deps, and these.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILE = ROOT / "requirements-login.txt"
FRAMEWORK = ("tensorflow", "keras", "h5py")  # imported by workers alone
HEADER = """\
# Made by `make login` from pyproject.toml: its dependencies without the framework.
# pip install --no-deps . && pip install -r requirements-login.txt
"""


def login_requirements() -> str:
    """Return the content of the file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [
        requirement
        for requirement in project["dependencies"]
        if re.match(r"[\w.-]+", requirement)[0] not in FRAMEWORK
    ]
    return HEADER + "".join(f"{requirement}\n" for requirement in needed)


if __name__ == "__main__":
    FILE.write_text(login_requirements(), encoding="utf-8")
