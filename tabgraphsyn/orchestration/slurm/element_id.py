"""Which element of a job array a process is: the only thing that Slurm is asked and told about by it.

The element that Slurm starts last keeps the array's own id: its ``SLURM_JOB_ID`` equals ``SLURM_ARRAY_JOB_ID``, and
``scontrol requeue``, ``show job`` and ``update`` take that number for the whole array. ``ARRAY_INDEX`` means one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ElementId:
    """A job of its own, or an element of an array.

    Attributes:
        job: ``SLURM_JOB_ID``: tells runs apart in records; not to be shown to Slurm.
        array: id of the array, or None for a job that is none.
        index: of the element, or None.
    """

    job: str
    array: str | None = None
    index: int | None = None

    @classmethod
    def current(cls, environment: Mapping[str, str] | None = None) -> ElementId | None:
        """Return what this process runs in, or None outside of a job.

        >>> str(ElementId.current({"SLURM_JOB_ID": "7", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3"}))
        '7_3'
        """
        found = os.environ if environment is None else environment
        job, array, index = (found.get(f"SLURM_{name}") for name in ("JOB_ID", "ARRAY_JOB_ID", "ARRAY_TASK_ID"))
        if not job:
            return None
        return cls(job, array, int(index)) if array and index and index.isdigit() else cls(job)

    def __str__(self) -> str:
        """Return the id that every command of Slurm takes for this element and for nothing else."""
        return self.job if self.array is None else f"{self.array}_{self.index}"

    @property
    def array_or_job(self) -> str:
        """Id of the array, or of the job that is none: for what is meant for all elements."""
        return self.array or self.job

    def record(self, records: Iterable[Mapping[str, str]]) -> dict[str, str]:
        """Return the record of this element among those that ``scontrol show job`` printed; empty if there is none.

        >>> shown = [{"JobId": str(9 - n), "ArrayJobId": "7", "ArrayTaskId": str(n)} for n in (1, 2, 3)]
        >>> ElementId("7", "7", 2).record(shown)["JobId"]
        '7'
        """
        return next((dict(record) for record in records if self._is_described_by(record)), {})

    def _is_described_by(self, record: Mapping[str, str]) -> bool:
        if self.array is None:
            return record.get("JobId") == self.job and "ArrayTaskId" not in record
        return (record.get("ArrayJobId"), record.get("ArrayTaskId")) == (self.array, str(self.index))
