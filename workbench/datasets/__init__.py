"""From a folder of images to a pack: open, scan, audit, split, manifest, pack. No keras."""
