"""The DAG of stages: plan, store, and where they run.

| question | modules |
|---|---|
| what is to be computed | ``checking``, ``submit``, ``plan``, ``source``, ``signature``; the names of models in ``registry/`` |
| what stands in an output folder | ``store``, ``lease``, ``spec``, ``records``, ``packed``, ``garbage``, ``sharing``; ``campaign/`` |
| who computes a stage | ``worker``, ``ranks``, ``local_ranks``, ``follower``, ``compute``, ``attempt_log``, ``captured_output`` |
| where that process is started | ``local/`` (this machine), ``slurm/`` (a cluster, and ``slurm/node/`` on its nodes) |
| by which code, and may it run | ``snapshot``, ``stage_code``, ``code_copy``, ``tree_digest``, ``trust`` |
| what is said of it | ``status``, ``status_rows``, ``running``, ``accounting``, ``measured``, ``campaign_report``, ``wording`` |
| studies and W&B | ``studies``, ``wandb_sync`` |
"""
