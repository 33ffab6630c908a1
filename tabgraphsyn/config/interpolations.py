"""Which ``${resolver:...}`` a yaml file may use: none that reads the environment.

A data-set or site yaml is handed on from one person to another. One that read ``WANDB_API_KEY`` into a name would put
it into folders, records and reports. On the command line, which its user writes, every interpolation stands.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

_PURE = frozenset({"oc.select", "oc.create", "oc.decode", "oc.dict.keys", "oc.dict.values", "oc.deprecated", "now"})
# The argument is only looked at, so that one resolver inside another is found too.
_RESOLVER = re.compile(r"\$\{\s*([\w.]+)\s*:(?=\s*([^,}]*))")
_COMPUTED = re.compile(r"\$\{[\w.\s]*\$\{[^}]*\}[^}]*:")


def interpolation_problems(raw: Any, readable: Collection[str], key: str = "") -> Iterator[str]:
    """Yield a line for each unresolved value that would read the environment, or by a resolver that is not known.

    Args:
        raw: plain unresolved values of yaml files.
        readable: variables that yaml files may read here.
        key: where ``raw`` stands.
    """
    if isinstance(raw, dict):
        for name, value in raw.items():
            yield from interpolation_problems(value, readable, f"{key}.{name}" if key else str(name))
    elif isinstance(raw, list):
        for place, value in enumerate(raw):
            yield from interpolation_problems(value, readable, f"{key}[{place}]")
    elif isinstance(raw, str):
        computed = [("a computed name", "")] if _COMPUTED.search(raw) else []
        for resolver, argument in [*_RESOLVER.findall(raw), *computed]:
            name = argument.strip().strip("'\"")
            if resolver in _PURE or (resolver == "oc.env" and name in readable):
                continue
            what = f"the variable {name!r}" if resolver == "oc.env" else f"by {resolver!r}"
            yield (
                f"{key}: a yaml file reads {what}, which could carry a secret into records. Write the value, "
                f"give {key}=... on the command line or let the site policy allow it (readable_variables)."
            )
