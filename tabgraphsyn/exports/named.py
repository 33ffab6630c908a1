"""What a crate's documents say of its files, held against its list, whichever version of this package worded them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tabgraphsyn.data.untrusted import plain_json, short
from tabgraphsyn.errors import TabGraphSynError, listing
from tabgraphsyn.exports.findings import Finding, gathered
from tabgraphsyn.exports.outcomes import outcome_paths, read_outcomes
from tabgraphsyn.exports.record import OUTCOMES, ROCRATE, UNLISTED, CrateForm, place

NAMING = (ROCRATE, "croissant.json", "provenance.intoto.json")
"""Documents that name files with their hashes, in the words of three standards."""

_MOST_BYTES = 64 << 20
_NAMES = ("@id", "contentUrl", "name")


def named_findings(folder: Path, record: CrateForm) -> list[Finding]:
    """Return what the documents for other programs, and the outcomes, say that the crate's list does not."""
    problems = [problem for document in NAMING for problem in _document(folder, document, record)]
    try:
        read_outcomes(folder)
    except TabGraphSynError as error:
        problems.append(f"{OUTCOMES}/: {short(error)}")
    return gathered("files that documents name", problems, f"{len(NAMING)} say the hashes of the list")


def unlisted_files(folder: Path) -> set[str]:
    """Return the files that a crate's list leaves out: the list, and what each new outcome adds to."""
    return {*UNLISTED, *outcome_paths(folder)}


def _document(folder: Path, document: str, record: CrateForm) -> Iterator[str]:
    try:
        content = plain_json(place(folder, document), _MOST_BYTES)
    except (TabGraphSynError, OSError) as error:
        yield f"{document}: cannot be read: {short(error)}"
        return
    said = [pair for pair in _hashes(content) if pair[0] in record.files]
    if not said:
        yield f"{document}: it names no file of the crate"
    if other := sorted({path for path, digest in said if record.files[path].sha256 != digest}):
        yield f"{document}: another hash of {listing(other, 3)}"


def _hashes(content: Any) -> Iterator[tuple[str, str]]:
    """Yield name and SHA-256 wherever a block says both; without recursion, so that no depth ends it."""
    left = [content]
    while left:
        block = left.pop()
        if isinstance(block, Mapping):
            inner = block.get("digest")
            digest = inner.get("sha256") if isinstance(inner, Mapping) else block.get("sha256")
            name = next((block[key] for key in _NAMES if isinstance(block.get(key), str)), None)
            if name is not None and isinstance(digest, str):
                yield name, digest
        if isinstance(block, Mapping | list):
            left += block.values() if isinstance(block, Mapping) else block
