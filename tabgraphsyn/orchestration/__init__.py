"""The DAG of stages: what is computed, by whom, where, and what is said of it.

A wing stands only on those below it (``pyproject.toml`` holds that), from top to bottom:

``slurm/``: a cluster (``slurm/node/`` runs on its nodes).
``launching/``: from a command line to checked points, a recorded campaign and its run.
``local/``: this machine's runner. ``registry/``: trained models of a store by name.
``reading/``: status, hours, the report of a campaign, what could be deleted, W&B runs to send.
``computing/``: the process of a stage: the worker, what stops it, its ranks, its device, its log.
``campaign/``: the folder of a campaign: points, studies, what is shown, verdicts.
``code/``: by which code a stage is computed: its version, its hash, the copy that jobs run from.
``planning/``: the DAG of a sweep, what identifies a stage, and its ``spec.json``.
``stored/``: what an output folder holds: store, lease, records, the ledger of jobs; whose it is; whose code may run.
"""
