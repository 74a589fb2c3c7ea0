"""workbench: from a folder of images to a trained, understood image classifier."""

import os

__version__ = "0.2.0"

# Looking for plugins of pydantic reads the description of every installed package: a third of the
# start of a short command.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

# The name that pip knows: in the package index, `workbench` is another project.
DISTRIBUTION = "convnet-workbench"


def pip_install(extra: str) -> str:
    """Return the command line that installs one of our extras, such as `cpu`."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"
