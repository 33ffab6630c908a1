"""``python slurm_launch.py ...``: the real launch with the stages of ``slurm_stages``."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import Any


def main() -> int:
    from slurm_stages import slurm_catalog

    from tabgraphsyn import launch
    from tabgraphsyn.config import composition
    from tabgraphsyn.config import top_level as configuration

    @dataclasses.dataclass
    class FakeTopLevel(configuration.TopLevelConfig):
        fake: Any = None

    composition.config_dir = lambda: Path(os.environ["FAKE_CONF"])
    composition.TopLevelConfig = FakeTopLevel
    return launch.main(sys.argv[1:], catalog=slurm_catalog())


if __name__ == "__main__":
    sys.exit(main())
