"""Pretrained networks as tables: blocks, layers, shapes, parameters; and their files. No keras."""
