"""The file that a job's interpreter starts with: it finds the code of the launch, whatever the job's environment is.

``--export=NONE`` empties ``PYTHONPATH``, and a ``:`` in a folder's name splits it; ``sys.path`` has neither weakness.

In a shared store others may write where these files lie. What sbatch was given lies with Slurm, so the batch script
itself holds the hashes of this file and of the list, and a few lines that hold them against what is there; this file
holds the copy of the code against its hash before any of it is imported.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tabgraphsyn.data.files import file_sha256, write_text
from tabgraphsyn.orchestration.code import tree_digest
from tabgraphsyn.orchestration.stored import trust

BOOTSTRAP = "run.py"

_TEXT = '''"""Runs an element with the code of its launch, before PYTHONPATH and the folders that the launch knew."""
import os
import sys

CODE = {code!r}  # folder, hash of all that lies in it
FIRST = list(CODE[:1])
FURTHER = {further!r}
if sys.path and os.path.realpath(sys.path[0]) == os.path.dirname(os.path.realpath(__file__)):
    del sys.path[0]
{checks}

if CODE:
    require_tree(*CODE)
    # A compiled file beside the code would be one that the hash does not know.
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
os.environ[{variable!r}] = {allowed!r}
known = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
sys.path[len(known):len(known)] = [each for each in FURTHER if each not in known]
sys.path[:0] = FIRST
os.environ["PYTHONPATH"] = os.pathsep.join(each for each in (*FIRST, *known) if os.pathsep not in each)
os.environ["PYTHONSAFEPATH"] = "1"

if __name__ == "__main__":
    from tabgraphsyn.orchestration.slurm.node.element import main

    sys.exit(main())
'''


_HELD = """
import hashlib, sys
held, sys.argv = sys.argv[1:5], [sys.argv[2], *sys.argv[4:]]
texts = []
for digest, path in zip(held[::2], held[1::2]):
    try:
        with open(path, "rb") as handle:
            texts.append(handle.read())
        found = hashlib.sha256(texts[-1]).hexdigest()
    except OSError as error:
        found = error
    if found != digest:
        print(path + ": not what the launch wrote, so nothing of it is run (" + str(found) + "). Launch again.",
              file=sys.stderr)
        sys.exit(3)
exec(compile(texts[0], held[1], "exec"), {"__name__": "__main__", "__file__": held[1]})
"""


def start_command(launch_folder: Path, list_file: Path) -> list[str]:
    """Return the arguments of python that start an element, if the launch's files are what they are now."""
    files = (bootstrap_path(launch_folder), list_file)
    held = [text for path in files for text in (_sha256(path), str(path))]
    # Without -P the folder of the call would come before the standard library.
    return ["-P", "-c", _HELD, *held]


def _sha256(path: Path) -> str:
    """Return a file's hash; a dry run has no files."""
    return file_sha256(path) if path.is_file() else "<hash>"


def bootstrap_path(launch_folder: Path) -> Path:
    """Return the file of a launch."""
    return launch_folder / BOOTSTRAP


def python_path() -> tuple[str, ...]:
    """Return what a user's own modules are imported from here: ``PYTHONPATH``, then this folder."""
    known = [str(Path(each).absolute()) for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    return tuple(dict.fromkeys([*known, str(Path.cwd())]))


def write_bootstrap(launch_folder: Path, code: tuple[str, str] | None, further: Sequence[str]) -> None:
    """Write the file of a launch.

    Args:
        launch_folder: where it is written.
        code: what the package is imported from, and the hash of it; None for what the interpreter finds.
        further: folders of the user's own modules, behind the job's ``PYTHONPATH``.
    """
    text = _TEXT.format(
        code=code or (),
        further=list(further),
        checks=Path(tree_digest.__file__).read_text(encoding="utf-8"),
        variable=trust.VARIABLE,
        allowed=",".join(trust.allowed()),
    )
    write_text(bootstrap_path(launch_folder), text)
