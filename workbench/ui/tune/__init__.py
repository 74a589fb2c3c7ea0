"""Trying before training: learning rates and heads."""
