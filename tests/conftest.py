"""Before any test module loads OpenMP: idle threads sleep instead of spinning on cores that others use."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
