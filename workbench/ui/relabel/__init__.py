"""Correcting labels."""
