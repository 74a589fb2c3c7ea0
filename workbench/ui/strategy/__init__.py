"""The strategy of a new experiment and its options."""
