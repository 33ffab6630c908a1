"""Whose code a process may run: this package's, and that of packages which the person who launches has named.

What a store says is no reason: in a shared one others write it. So the names travel from the launch to its workers in
the environment, which nobody else can write, and a spec is held against them before anything of it is imported.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tabgraphsyn.errors import StageError, listing
from tabgraphsyn.generators.frame import own_kinds
from tabgraphsyn.orchestration.sharing import user_name

if TYPE_CHECKING:
    from tabgraphsyn.orchestration.spec import Spec

VARIABLE = "TABGRAPHSYN_ALLOW_TARGETS"
_PACKAGE = "tabgraphsyn"


def allowed() -> tuple[str, ...]:
    """Return the packages besides this one that the launch allowed."""
    return tuple(filter(None, os.environ.get(VARIABLE, "").split(",")))


def allow(modules: Iterable[str]) -> None:
    """Let this process and those that it starts use the packages of some modules."""
    packages = (name.partition(".")[0] for name in modules)
    os.environ[VARIABLE] = ",".join(dict.fromkeys([*allowed(), *(name for name in packages if name != _PACKAGE)]))


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


def require_trusted(spec: Spec, where: str) -> None:
    """Hold what a spec says about code against what was allowed, and against this version's stages.

    Raises:
        StageError: the spec names other code than its launch could have.
    """
    module = spec.runtime.module
    packages = [name for name in (module.partition(".")[0], *spec.runtime.allow_targets) if name != _PACKAGE]
    foreign = [name for name in packages if name not in allowed()]
    if foreign:
        raise StageError(
            f"{where}: it names code of {listing(foreign)}, which this launch did not allow. Look whose file it is; "
            "if it is yours, launch again with allow_targets."
        )
    if module.partition(".")[0] != _PACKAGE:
        return
    known = [
        each for each in own_kinds(spec.stage) if (each.module, each.place_keys) == (module, spec.runtime.place_keys)
    ]
    if not known:
        raise StageError(f"{where}: {module!r} is not what runs {spec.stage!r}. Launch again to have it written anew.")
    if spec.version != known[0].version:
        raise StageError(
            f"{where}: version {spec.version} of {spec.stage!r} is wanted, this code makes version {known[0].version}. "
            "Launch again: another version is another result."
        )
