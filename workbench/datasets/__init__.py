"""From a folder of images to a pack: recognise, scan, audit, split, manifest, pack. No keras."""
