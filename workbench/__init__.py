"""workbench: from a folder of images to a trained, understood image classifier."""

__version__ = "0.1.0"

# The name that pip knows: in the package index, `workbench` is another project.
DISTRIBUTION = "convnet-workbench"


def pip_install(extra: str) -> str:
    """Return the command line that installs one of our extras, such as `cpu`."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"
