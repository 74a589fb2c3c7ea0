"""The worker: the one process that imports keras. One job a process."""
