"""Which of the package's code a stage is computed by, as one hash: its module, its components, and all they import.

A stage is named by its config and the version that its author gave it. Whoever edits code and forgets the version gets
the old result under the new code; this hash, in ``done.json``, is what tells it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import tabgraphsyn
from tabgraphsyn.config.catalog import variant
from tabgraphsyn.errors import listing
from tabgraphsyn.generators.base import FIRST_GENERATOR
from tabgraphsyn.generators.frame import own_generators
from tabgraphsyn.orchestration.planning.plan import Stage
from tabgraphsyn.orchestration.stored.store import Store

STAGE = "stage"
"""Key of the hash under ``code`` in ``done.json``."""

_PACKAGE = "tabgraphsyn"
_FROM = re.compile(r"^[ \t]*from[ \t]+(tabgraphsyn[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*import[ \t]+(tabgraphsyn[\w.]*)", re.MULTILINE)
_WORD = re.compile(r"\w+")


def stage_code(module: str, config: Mapping[str, Any]) -> str:
    """Return the hash of the package's files that a stage runs: what else it imports has versions of its own.

    Args:
        module: of the stage.
        config: of the stage; the modules that its ``_target_`` keys name are loaded by it, too.
    """
    if "sampling" in config:  # where the generator identifies nothing, a record is without it
        config = {"generator": FIRST_GENERATOR, **config}
    return _hash(frozenset({module, *_targets(config), *_declared(config)}))


def changed_code(stages: Iterable[Stage], store: Store) -> dict[str, str]:
    """Return label -> commit or version that made it, of done stages whose code is another by now."""
    found = {}
    for stage in stages:
        done = store.done(stage.id)
        made_by = (done or {}).get("code", {})
        if made_by.get(STAGE) not in (None, stage_code(stage.kind.module, stage.config)):
            found[stage.label] = str(made_by.get("commit") or made_by.get("package", ""))[:12]
    return found


def said(changed: Mapping[str, str]) -> str:
    """Return the line for a person, or an empty text."""
    if not changed:
        return ""
    commits = listing(sorted(set(changed.values())), 3)
    return (
        f"code: {len(changed)} done stages are used as they are and were made by other code (of {commits}) under the "
        f"same stage version: {listing(changed, 6)}. If that code gives another result, its version in "
        "tabgraphsyn/generators must be raised; `tabgraphsyn reproduce POINT` tells."
    )


def _declared(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the modules of this package that a generator names as text, where a stage samples."""
    target = str((config.get("generator") or {}).get("_target_", "")) if "sampling" in config else ""
    for generator in own_generators():
        if target == f"{generator.__module__}.{generator.__qualname__}":
            yield from (name.rpartition(".")[0] for name in variant(generator, config).names())


def _targets(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        target = value.get("_target_")
        if isinstance(target, str):
            yield target.rpartition(".")[0]
        for each in value.values():
            yield from _targets(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _targets(each)


@lru_cache(maxsize=256)
def _hash(roots: frozenset[str]) -> str:
    waiting, found = sorted(roots), set[str]()
    while waiting:
        module = waiting.pop()
        if module in found or _file(module) is None:
            continue
        found.add(module)
        parent = module.rpartition(".")[0]
        waiting += [*([parent] if parent else []), *_imported(module)]
    digest = hashlib.sha256()
    for module in sorted(found):
        file = _file(module)
        if file is not None:
            digest.update(f"{module}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=2048)
def _imported(module: str) -> tuple[str, ...]:
    """Return the package's modules that a module's text imports, anywhere in it; a name may be a module, too."""
    file = _file(module)
    text = file.read_text(encoding="utf-8") if file is not None else ""
    found = list(_IMPORT.findall(text))
    for source, names in _FROM.findall(text):
        found += [source, *(f"{source}.{name}" for name in _WORD.findall(names))]
    return tuple(found)


@lru_cache(maxsize=4096)
def _file(module: str) -> Path | None:
    """Return the file of one of the package's modules, or None: another package, or no module."""
    first, *rest = module.split(".")
    if first != _PACKAGE:
        return None
    place = Path(tabgraphsyn.__file__).resolve().parent.joinpath(*rest)
    files = (place / "__init__.py", place.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)
