"""The file that a job's interpreter starts with: it finds the code of the launch, whatever the job's environment is.

``--export=NONE`` empties ``PYTHONPATH``, and a ``:`` in a folder's name splits it; ``sys.path`` has neither weakness.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tabgraphsyn.data.files import write_text

BOOTSTRAP = "run.py"

_TEXT = '''"""Runs an element with the code of its launch, before PYTHONPATH and the folders that the launch knew."""
import os
import sys

FIRST = {first!r}
FURTHER = {further!r}
if sys.path and os.path.realpath(sys.path[0]) == os.path.dirname(os.path.realpath(__file__)):
    del sys.path[0]
known = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
sys.path[len(known):len(known)] = [each for each in FURTHER if each not in known]
sys.path[:0] = FIRST
os.environ["PYTHONPATH"] = os.pathsep.join(each for each in (*FIRST, *known) if os.pathsep not in each)
os.environ["PYTHONSAFEPATH"] = "1"

if __name__ == "__main__":
    from tabgraphsyn.orchestration.slurm.node.element import main

    sys.exit(main())
'''


def bootstrap_path(launch_folder: Path) -> Path:
    """Return the file of a launch."""
    return launch_folder / BOOTSTRAP


def python_path() -> tuple[str, ...]:
    """Return what a user's own modules are imported from here: ``PYTHONPATH``, then this folder."""
    known = [str(Path(each).absolute()) for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    return tuple(dict.fromkeys([*known, str(Path.cwd())]))


def write_bootstrap(launch_folder: Path, code_folder: Path | None, further: Sequence[str]) -> None:
    """Write the file of a launch.

    Args:
        launch_folder: where it is written.
        code_folder: what the package is imported from; None for what the interpreter finds.
        further: folders of the user's own modules, behind the job's ``PYTHONPATH``.
    """
    first = [str(code_folder)] if code_folder is not None else []
    write_text(bootstrap_path(launch_folder), _TEXT.format(first=first, further=list(further)))
