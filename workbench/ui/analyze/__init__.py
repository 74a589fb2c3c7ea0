"""Error analysis of a run: calibration, the threshold, the learning curve."""
