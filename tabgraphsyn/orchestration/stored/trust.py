"""Whose code a process may run: this package's, and that of packages which the person who launches has named.

What a store says is no reason: in a shared one others write it. So the names travel from the launch to its workers in
the environment, which nobody else can write, and a spec is held against them before anything of it is imported.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tabgraphsyn.errors import StageError
from tabgraphsyn.orchestration.stored.sharing import user_name

VARIABLE = "TABGRAPHSYN_ALLOW_TARGETS"
PACKAGE = "tabgraphsyn"


def allowed() -> tuple[str, ...]:
    """Return the packages besides this one that the launch allowed."""
    return tuple(filter(None, os.environ.get(VARIABLE, "").split(",")))


def allow(modules: Iterable[str]) -> None:
    """Let this process and those that it starts use the packages of some modules."""
    packages = (name.partition(".")[0] for name in modules)
    os.environ[VARIABLE] = ",".join(dict.fromkeys([*allowed(), *(name for name in packages if name != PACKAGE)]))


def require_own(path: Path) -> None:
    """Refuse what another user wrote and this one would run.

    Raises:
        StageError: the file is another user's, and not root's.
    """
    owner = path.stat().st_uid
    if owner not in (os.geteuid(), 0):
        raise StageError(
            f"{path}: {user_name(owner)} wrote this, and its settings would run as you. Launch the campaign yourself; "
            "what is done or queued is used."
        )
