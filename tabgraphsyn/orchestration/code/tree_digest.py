"""The hash of everything below a folder, and the refusal of a copy of the code that is not what its launch copied.

The text of this module also stands in the file that a job starts with, so that the code of the launch is held against
its hash before a line of it is imported. Nothing but the standard library may be used here.
"""

import hashlib
import os
import stat
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path


def tree_digest(folder: str, only: Sequence[str] = (), left_out: Sequence[str] = ()) -> str:
    """Return the hash of the names and contents of all files below a folder, whatever they are called.

    Args:
        folder: what is hashed.
        only: the folders in it that are looked at, and nothing beside them; empty: everything.
        left_out: patterns of names that are passed over.

    Raises:
        ValueError: something that is neither a plain file nor a folder: what it leads to is not in the folder.
    """
    found = {}
    for parent, folders, names in os.walk(folder):
        if only and parent == folder:
            folders[:], names = [name for name in folders if name in only], []
        folders[:] = [name for name in folders if not any(fnmatch(name, each) for each in left_out)]
        for name in (*folders, *names):
            path = Path(parent, name)
            mode = path.lstat().st_mode
            if not stat.S_ISDIR(mode) and not any(fnmatch(name, each) for each in left_out):
                if not stat.S_ISREG(mode):
                    raise ValueError(f"{path}: a link or a special file")
                found[path.relative_to(folder).as_posix()] = path
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0")
        digest.update(hashlib.sha256(found[name].read_bytes()).digest())
    return digest.hexdigest()


def require_tree(folder: str, digest: str) -> None:
    """End this process with exit code 3 unless a folder holds what ``digest`` is the hash of."""
    try:
        found = tree_digest(folder)
    except (OSError, ValueError) as error:
        found = str(error)
    if found != digest:
        print(
            f"{folder}: this copy of the code is not what the launch made ({found[:120]} in place of {digest}): "
            "somebody changed it, and nothing of it was run. Find out who; then launch again, which makes it anew.",
            file=sys.stderr,
        )
        sys.exit(3)
