"""Analysis of test predictions: errors, calibration, thresholds, paired tests. Pure."""
