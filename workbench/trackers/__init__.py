"""Experiment trackers: what of a run is new, and TensorBoard, MLflow and W&B, which take it.

The worker of a run knows nothing of them: a process of its own reads the event log.
"""
