"""What test predictions say of a model: errors, calibration, thresholds, paired tests. Pure."""
