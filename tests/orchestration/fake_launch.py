"""``python fake_launch.py ...``: the real launch with the fake catalog and its yaml files."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import Any


def main() -> int:
    from fake_stages import fake_catalog

    from tabgraphsyn import launch
    from tabgraphsyn.config import composition
    from tabgraphsyn.config import top_level as configuration

    @dataclasses.dataclass
    class FakeTopLevel(configuration.TopLevelConfig):
        fake: Any = None

    composition.config_dir = lambda: Path(os.environ["FAKE_CONF"])
    composition.TopLevelConfig = FakeTopLevel
    preload = tuple(name for name in os.environ.get("FAKE_PRELOAD", "").split(",") if name)
    return launch.main(sys.argv[1:], catalog=fake_catalog(preload=preload))


if __name__ == "__main__":
    sys.exit(main())
