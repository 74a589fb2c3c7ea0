"""What this box is: probes in processes of their own, and what their answers mean."""
