"""TabGraphSyn: synthetic relational data as a DAG of batch jobs."""

__version__ = "0.1.0"
