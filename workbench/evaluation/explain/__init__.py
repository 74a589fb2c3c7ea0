"""Explains a trained network: activations of layers, patterns of filters, Grad-CAM."""
