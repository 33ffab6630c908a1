"""The environment that Slurm's commands get: nothing in it decides for what a launch or a verb asks.

Slurm's precedence is command line, environment, ``#SBATCH``: a ``SBATCH_PARTITION`` or ``SQUEUE_STATES`` of the user's
shell would win over everything written here. And whoever launches from inside a job hands its ``SLURM_*`` on: the
jobs of an array task would think they are that task.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

_OF_COMMANDS = (
    *("SBATCH_", "SALLOC_", "SRUN_", "SQUEUE_", "SACCT_", "SACCTMGR_", "SCANCEL_", "SCONTROL_", "SINFO_", "SSTAT_"),
    *("SPRIO_", "SSHARE_", "SREPORT_", "SLURM_", "SLURMD_", "PMI_", "PMIX_"),
)
_KEPT = frozenset({"SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT", "SLURM_SACK_JWKS", "SLURM_SACK_KEY"})
"""Where the cluster is, and who asks."""
_OF_A_JOB = frozenset({"CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK"})
"""What Slurm sets in the job that this is called from."""


def cleaned(environment: Mapping[str, str], let_through: Collection[str] = ()) -> dict[str, str]:
    """Return the environment without what steers Slurm's commands or describes the job that this runs in.

    Args:
        environment: of the shell.
        let_through: names that the site's policy keeps.

    >>> sorted(cleaned({"HOME": "/h", "SLURM_CONF": "/c", "SBATCH_EXPORT": "NONE", "SQUEUE_STATES": "R"}))
    ['HOME', 'SLURM_CONF']
    """
    in_a_job = "SLURM_JOB_ID" in environment
    kept = _KEPT.union(let_through)
    return {
        name: value
        for name, value in environment.items()
        if name in kept or not (name.startswith(_OF_COMMANDS) or (in_a_job and name in _OF_A_JOB))
    }
