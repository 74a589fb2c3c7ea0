"""Home: the runs, and the way to all other screens."""
