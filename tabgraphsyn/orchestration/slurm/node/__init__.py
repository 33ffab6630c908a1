"""What runs on a Slurm node."""
