"""The same DAG on one machine."""
