"""Whose a store is, and the rights of what is written there: one user's, or those of a group.

A folder of a group (setgid and group-writable) is shared: its members use each other's stages. Any other is private.
Neither leaves anything to people outside, and the umask of whoever runs a command decides nothing: a store holds rows
of the real data.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

_PRIVATE_MASK = 0o077
_SHARED_MASK = 0o007


def is_shared(folder: Path) -> bool:
    """Return True if a folder, or the nearest one above it that exists, is its group's: writable and setgid."""
    place = folder
    while not place.exists():
        place = place.parent
    mode = place.stat().st_mode
    return bool(mode & stat.S_ISGID and mode & stat.S_IWGRP)


def store_mask(output_dir: Path) -> int:
    """Return the umask of a store: nobody else's, or the group's too."""
    return _SHARED_MASK if is_shared(output_dir) else _PRIVATE_MASK


def settle_rights(output_dir: Path) -> bool:
    """Give what this process writes from now on the rights that the store wants; return whether it is shared.

    The setgid bit hands the group down to new folders. Leases, ledger and published folders of a shared store are
    replaced by whoever runs next, whoever wrote them.
    """
    mask = store_mask(output_dir)
    os.umask(mask)
    return mask == _SHARED_MASK


def seal(path: Path, output_dir: Path) -> None:
    """Give a published file, or all below a folder, its final rights, whatever wrote it.

    In a shared store files are read-only: others of the group may replace a file (the folder is theirs too), and then
    it belongs to them, but nobody changes one in its owner's name.
    """
    shared = is_shared(output_dir)
    file_mode, folder_mode = (0o440, 0o770) if shared else (0o600, 0o700)
    for each, is_folder in _below(path):
        mode = stat.S_IMODE(each.lstat().st_mode)
        wanted = folder_mode | (mode & stat.S_ISGID) if is_folder else file_mode
        if mode != wanted and not each.is_symlink():
            each.chmod(wanted)


def _below(path: Path) -> Iterator[tuple[Path, bool]]:
    """Yield a file, or a folder and everything below it, and whether it is a folder."""
    if not path.is_dir():
        yield path, False
        return
    for parent, _, names in os.walk(path):
        yield Path(parent), True
        for name in names:
            yield Path(parent) / name, False


def user_name(number: int) -> str:
    """Return the login name of a user, or the number where nobody has it here."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
