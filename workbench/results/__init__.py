"""The keras room that evaluates and predicts; entered by the worker alone."""
