"""Stages as Slurm job arrays: who submits, what runs on the node, what is asked of the scheduler."""
