"""Arrays from a safetensors file that a stranger may have written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from tabgraphsyn.data.untrusted import not_plain, short
from tabgraphsyn.errors import DataError, listing

# How safetensors writes the types that this project has.
DTYPES = {"F64": "float64", "F32": "float32", "I64": "int64", "I32": "int32", "BOOL": "bool", "U8": "uint8"}
_ADVICE = "Do not use it, or get it again from who made it."


def declared(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return name -> (type, shape) of the arrays in a file, as its header says; no array is read.

    The file's own reader holds sizes against offsets, so that what is declared is what lies there.

    Raises:
        DataError: no plain file, or no safetensors.
    """
    if problem := not_plain(path):
        raise DataError(f"{path}: {problem}. {_ADVICE}")
    try:
        with safe_open(path, "numpy") as file:
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
            return {
                name: (DTYPES.get(part.get_dtype(), part.get_dtype()), tuple(part.get_shape()))
                for name, part in parts.items()
            }
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path}: safetensors expected, found {short(error)}. {_ADVICE}") from error


def check_declared(path: Path, wanted: Mapping[str, tuple[str, Sequence[int]]]) -> None:
    """Hold the arrays of a file against names, types and shapes.

    Raises:
        DataError: an array more, missing, or of another type or shape.
    """
    found = declared(path)
    if missing := sorted(set(wanted) - set(found)):
        raise DataError(f"{path}: no {listing(missing, 3)} in it, which the config declares. {_ADVICE}")
    if more := sorted(set(found) - set(wanted)):
        raise DataError(f"{path}: {listing(more, 3)} in it, which the config does not declare. {_ADVICE}")
    for name, (dtype, shape) in wanted.items():
        if found[name] != (dtype, tuple(shape)):
            raise DataError(f"{path}: {name}: {dtype} {tuple(shape)} expected, found {found[name]}. {_ADVICE}")


def finite_arrays(
    path: Path,
    wanted: Mapping[str, tuple[str, Sequence[int]]] | None = None,
    unbounded: Collection[str] = (),
) -> dict[str, np.ndarray]:
    """Return the arrays of a file, held against what is wanted (if anything); all numbers are finite.

    Args:
        path: the file.
        wanted: name -> type and shape.
        unbounded: arrays in which a number may be infinite, though not NaN.

    Raises:
        DataError: see ``declared`` and ``check_declared``; or a number that is not finite.
    """
    check_declared(path, declared(path) if wanted is None else wanted)
    arrays: dict[str, np.ndarray] = load_file(path)
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not (~np.isnan(array) if name in unbounded else np.isfinite(array)).all():
            raise DataError(f"{path}: {name}: finite numbers expected, found others. {_ADVICE}")
    return arrays
