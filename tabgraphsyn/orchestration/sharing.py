"""A store that several users write to: a setgid folder of their group, and files that the group may write."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_GROUP = stat.S_IRWXG


def is_shared(folder: Path) -> bool:
    """Return True if a folder, or the nearest one above it that exists, is its group's: writable and setgid."""
    place = folder
    while not place.exists():
        place = place.parent
    mode = place.stat().st_mode
    return bool(mode & stat.S_ISGID and mode & stat.S_IWGRP)


def share_with_group(output_dir: Path) -> bool:
    """Let the group write what this process writes from now on, if the store is the group's; return whether it is.

    The setgid bit hands the group down to new folders; what is missing is the group's right to write, which the usual
    umask takes away. Leases, ledger and published folders are replaced by whoever runs next, whoever wrote them.
    """
    if not is_shared(output_dir):
        return False
    os.umask(os.umask(0o077) & ~_GROUP)
    return True
