"""Metrics, one a file; each has one yaml of the same name in conf/evaluation/metric."""
