"""The DAG of stages: plan, store, and where they run."""
