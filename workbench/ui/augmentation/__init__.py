"""One image as training sees it, while its augmentation is set."""
