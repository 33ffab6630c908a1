"""TabGraphSyn: synthetic relational data as a DAG of batch jobs."""

import os

__version__ = "0.1.0"

# Before any library loads OpenMP: idle threads sleep instead of spinning. On a core that another process uses, two
# spinning threads of torch were fifty times slower than two sleeping ones (docs/log.md).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
