"""The keras room that trains; entered by the worker alone."""
