"""workbench: from a folder of images to a trained, understood image classifier."""

__version__ = "0.1.0"
