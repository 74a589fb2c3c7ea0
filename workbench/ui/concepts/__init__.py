"""The concepts behind a screen."""
