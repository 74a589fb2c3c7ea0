"""What this machine is: probes in child processes, and what their reports mean."""
