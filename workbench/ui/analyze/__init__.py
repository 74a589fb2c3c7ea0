"""Calibration and thresholds of a run."""
