"""The DAG of stages: plan, store, and where they run.

What is to be computed: ``checking``, ``submit``, ``plan``, ``source``, ``signature``; names of models in ``registry/``.
What stands in an output folder: ``store``, ``lease``, ``spec``, ``records``, ``packed``, ``garbage``, ``sharing``; of
campaigns ``campaign/``.
Who computes a stage: ``worker``, ``ranks``, ``local_ranks``, ``follower``, ``compute``; what it leaves to read:
``attempt_log``, ``captured_output``.
Where that process is started: ``local/`` (this machine), ``slurm/`` (a cluster; ``slurm/node/`` runs on its nodes).
By which code, and may it run: ``snapshot``, ``stage_code``, ``code_copy``, ``tree_digest``, ``trust``.
What is said of it: ``status``, ``status_rows``, ``running``, ``accounting``, ``measured``, ``campaign_report``,
``wording``. Studies and W&B: ``studies``, ``wandb_sync``.
"""
