"""Target ``bundles`` of ``fuzz.py``: a good bundle changed in a few places, its hashes renewed, then sampled from."""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import shutil
import struct
import sys
from collections.abc import Callable, Iterator, MutableMapping, MutableSequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fuzz import Try

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "sampling"))

from tabgraphsyn.generation.bundles.bundle import manifest_digest
from tabgraphsyn.verbs.sample import sample

MANIFEST = "bundle.json"
SCALE = 0.2
"""Size that most tries ask for; the others take the bundle's own."""

# What is put where something else stood. 1e400 and the like are spelt out: json has no word for them.
NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 7, 513, 10**6, 10**9, 10**15, 2**31, 2**53 + 1, 2**63, 10**30, -(10**30)),
    *(0.5, -0.5, 1e-300, 1e38, 1e300, math.nan, math.inf, -math.inf, 1e-320),
    *(
        "",
        "x",
        "nan",
        "int64",
        "string",
        "timestamp[us]",
        "../../evil",
        "/tmp/evil",
        "..",
        "a/b",
        "\x00",
        "\ud800",
    ),  # a word in a mutated bundle  # nosec B108
    *("x" * 2_000, "orders", "%Y" * 40, "[", "(?=x)a"),
    *([], {}, [[]], [1], ["x"], [None], {"a": 1}, [[[[[[1]]]]]], {"kind": "x"}, [0.1] * 50, ["a", "a"]),
    {"_target_": "pathlib.Path.write_text", "self": "pwned", "data": "x"},
    {"_target_": "tabgraphsyn.verbs.cli.os.system", "command": "touch pwned"},
    {"_target_": "builtins.open", "file": "pwned", "mode": "w"},
)
TARGETS = (
    *("tabgraphsyn.verbs.cli.os.system", "tabgraphsyn.__main__.main", "tabgraphsyn", "tabgraphsyn.data.files"),
    *("tabgraphsyn.data.files.write_text", "tabgraphsyn.models.denoiser.mlp.nn.Linear", "os.system", "", ".", "a..b"),
    *("tabgraphsyn.models.denoiser.base.Denoiser", "tabgraphsyn.models.gnn.none.NoConditions", "builtins.exec"),
    *("tabgraphsyn.models.autoencoder.vae.VAE", "tabgraphsyn.diffusion.sampler.heun.Heun", "pathlib.Path.write_text"),
)


def prepare(folder: Path, bundle: Path | None = None) -> Callable[[random.Random], Try]:
    """Return the maker of tries; trains a small database first where no bundle is given."""
    if bundle is None:
        from small_database import people_and_visits, settings, trained

        small = {"denoiser": {"width": 16, "message_dim": 4}, "gnn": {"hidden_dim": 8, "condition_dim": 8}}
        overrides = {key: {**settings()[key], **values} for key, values in small.items()}
        bundle = trained(folder / "store", *people_and_visits(), **overrides).artifacts["sample"] / "bundle"
    good = bundle

    def make(rng: random.Random) -> Try:
        place = folder / "try"
        shutil.rmtree(place, ignore_errors=True)
        inside = place / "a" / "b"
        shutil.copytree(good, inside / "bundle")
        words = "; ".join(mutated(inside / "bundle", rng) for _ in range(rng.choice((1, 1, 1, 2, 3))))
        if rng.random() < 0.95:
            renew(inside / "bundle")
        scale = SCALE if rng.random() < 0.8 else None
        return Try(words, lambda: _sampled(place, inside, scale))

    return make


def renew(bundle: Path, *, components: bool = True) -> None:
    """Make the hashes of a bundle those of its files, as anyone can who knows how they are made.

    ``components`` says whether the list of its components is made anew, too, or stays as somebody left it.
    """
    path = bundle / MANIFEST
    try:
        raw = json.loads(_content(path))
        files = dict(raw["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return
    for name in list(files):
        if (bundle / name).is_file():
            files[name] = hashlib.sha256((bundle / name).read_bytes()).hexdigest()
    renewed = {
        **raw,
        "files": files,
        "components": (_components(bundle) if components else None) or raw.get("components"),
    }
    if "digest" in renewed:
        renewed["digest"] = manifest_digest(json.loads(json.dumps(renewed)))
    path.write_text(json.dumps(renewed, indent=2))


def _content(path: Path) -> bytes:
    """Return what a file holds, nothing for a pipe, which would wait for a writer."""
    return path.read_bytes() if path.is_file() else b""


def _components(bundle: Path) -> dict[str, Any] | None:
    """Return what ``bundle.json`` would list as components, None where that cannot be told any more."""
    try:
        read = {path.relative_to(bundle).as_posix(): json.loads(_content(path)) for path in bundle.rglob("*.json")}
        found = {"structure": read["structure.json"]["structure"]}
        found |= {"gnn": read["gnn.json"]["gnn"]} if "gnn.json" in read else {}
        for table in read[MANIFEST]["tables"]:
            for kind, keys in (("autoencoder", ("autoencoder",)), ("diffusion", ("denoiser", "diffusion"))):
                held = read.get(f"{kind}/{table}.json")
                found |= {f"{key}/{table}": held[key] for key in keys if held is not None}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return found


def _sampled(place: Path, inside: Path, scale: float | None) -> str | None:
    before = _listed(place, inside / "out")
    former = Path.cwd()
    os.chdir(inside)
    try:
        sample(inside / "bundle", scale=scale, out=inside / "out")
    finally:
        os.chdir(former)
        changed = before.symmetric_difference(_listed(place, inside / "out"))
    if changed:
        return f"outside of the folder: {sorted(changed)}"
    return next(_not_finite(inside / "out"), None)


def _listed(place: Path, out: Path) -> set[str]:
    return {str(path) for path in place.rglob("*") if not path.is_relative_to(out)}


def _not_finite(out: Path) -> Iterator[str]:
    for path in sorted(out.iterdir()):
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            for field in table.schema:
                column = table.column(field.name).drop_null()
                if pa.types.is_floating(field.type) and not pc.all(pc.is_finite(column)).as_py() and len(column):
                    yield f"{path.name}: {field.name} is not finite"


def mutated(bundle: Path, rng: random.Random) -> str:
    """Change one thing in a bundle and say what."""
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    kinds = (_json, _json, _json, _json, _json, _json, _tensors, _tensors, _bytes, _file, _target)
    return rng.choice(kinds)(bundle, files, rng)


def _json(bundle: Path, files: list[Path], rng: random.Random) -> str:
    path = rng.choice([path for path in files if path.suffix == ".json"])
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return f"{path.name}: no json any more"
    whole = [raw]
    holder, key = rng.choice(list(_nodes(whole)))
    words = _changed(holder, key, rng)
    path.write_text(json.dumps(whole[0]) if whole else "", encoding="utf-8")
    return f"{path.relative_to(bundle)}: {words}"


def _nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every holder and key below a value; few of long lists of numbers, which are all alike."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield value, key
            yield from _nodes(inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value[:4]):
            yield value, number
            yield from _nodes(inner)


def _changed(holder: MutableMapping[str, Any] | MutableSequence[Any], key: Any, rng: random.Random) -> str:
    old = holder[key]
    shown = repr(old)[:60]
    kind = rng.choice(("replace", "replace", "remove", "number", "number", "number", "list", "add", "copy"))
    if kind == "remove":
        del holder[key]
        return f"{key!r} = {shown} removed"
    if kind == "number" and isinstance(old, int | float) and not isinstance(old, bool):
        near = (old + 1, old - 1, old * 2, old // 2 if isinstance(old, int) else old / 2, 0)
        holder[key] = rng.choice((*near, *near, -old, old * 1000, old / 7, old * 10**12, str(old), float(old)))
        return f"{key!r} = {shown} -> {holder[key]!r}"
    if kind == "list" and isinstance(old, list) and old:
        holder[key] = rng.choice(
            (old[::-1], old + old, old[1:], old[:-1], old * 1000, [old[0]] * len(old), [*old, None])
        )
        return f"{key!r} = {shown}: turned, repeated or cut"
    if kind == "add" and isinstance(old, dict):
        old[rng.choice(("unknown", "_target_", "kind", "", "_partial_", "__class__"))] = rng.choice(NASTY)
        return f"{key!r} = {shown}: a key added"
    if kind == "copy" and isinstance(old, dict) and old:
        source, target = rng.choice(list(old)), rng.choice(list(old))
        old[target] = old[source]
        return f"{key!r}: {target!r} has the value of {source!r}"
    holder[key] = rng.choice(NASTY)
    return f"{key!r} = {shown} -> {repr(holder[key])[:60]}"


def _target(bundle: Path, files: list[Path], rng: random.Random) -> str:
    path = rng.choice([path for path in files if path.suffix == ".json"])
    text = path.read_text(encoding="utf-8", errors="replace")
    found = [part.split('"')[0] for part in text.split('"_target_": "')[1:]]
    if not found:
        return f"{path.name}: no component in it"
    old, new = rng.choice(found), rng.choice(TARGETS)
    path.write_text(text.replace(f'"_target_": "{old}"', f'"_target_": "{new}"'), encoding="utf-8")
    return f"{path.relative_to(bundle)}: {old} -> {new}"


def _tensors(bundle: Path, files: list[Path], rng: random.Random) -> str:
    path = rng.choice([path for path in files if path.suffix == ".safetensors"])
    raw = path.read_bytes()
    try:
        size = struct.unpack("<Q", raw[:8])[0]
        header, data = json.loads(raw[8 : 8 + size]), bytearray(raw[8 + size :])
    except (ValueError, struct.error, OverflowError):
        return f"{path.name}: no tensors any more"
    names = [name for name in header if name != "__metadata__"]
    if not names:
        return f"{path.name}: no tensors in it"
    name = rng.choice(names)
    words = _changed_tensor(header, data, name, rng)
    text = json.dumps(header).encode()
    length = len(text) if rng.random() < 0.97 else rng.choice((0, 2**62, 2**31, len(text) + 9))
    path.write_bytes(struct.pack("<Q", length) + text + bytes(data))
    return f"{path.relative_to(bundle)}: {name}: {words}"


def _changed_tensor(header: dict[str, Any], data: bytearray, name: str, rng: random.Random) -> str:
    entry = header[name]
    kind = rng.choice(("values", "values", "values", "remove", "rename", "shape", "dtype", "offsets", "extra"))
    if kind == "values":
        first, last = entry["data_offsets"]
        code = {"F32": "<f4", "I32": "<i4", "I64": "<i8", "F64": "<f8"}.get(entry["dtype"])
        count = (last - first) // np.dtype(code or "u1").itemsize
        if code and count:
            values = np.frombuffer(bytes(data[first:last]), code).copy()
            new = rng.choice((math.nan, math.inf, 1e38, -1e30, 0.0) if "f" in code else (-1, -2, -3, 2**31 - 1, 0))
            places = np.arange(count) if rng.random() < 0.3 else np.array([rng.randrange(count)])
            values[places] = new
            data[first:last] = values.tobytes()
            return f"{len(places)} values {new}"
    if kind == "remove":
        del header[name]
    elif kind == "rename":
        header[rng.choice(("x", "", f"{name}x"))] = header.pop(name)
    elif kind == "shape":
        entry["shape"] = rng.choice((entry["shape"][::-1], [], [0], [2**40], [*entry["shape"], 1], [-1], "x"))
    elif kind == "dtype":
        entry["dtype"] = rng.choice(("F16", "F64", "I64", "BOOL", "x", "BF16"))
    elif kind == "offsets":
        entry["data_offsets"] = rng.choice(([0, 0], [0, 2**62], [-1, 4], [8, 4]))
    else:
        header["extra"] = dict(entry)
    return kind


def _bytes(bundle: Path, files: list[Path], rng: random.Random) -> str:
    path = rng.choice(files)
    raw = bytearray(path.read_bytes())
    kind = rng.choice(("empty", "cut", "flip", "insert", "brackets", "digits"))
    place = rng.randrange(len(raw)) if raw else 0
    if kind == "empty":
        raw = bytearray()
    elif kind == "cut":
        del raw[place:]
    elif kind == "flip" and raw:
        raw[place] ^= 1 << rng.randrange(8)
    elif kind == "insert":
        raw[place:place] = rng.choice((b"\x00", b"\xff\xfe", b"}", b"]", b'"', b",", b"NaN", b"1e400"))
    elif kind == "brackets":
        raw[place:] = b"[" * 100_000
    else:
        raw[place:place] = b"9" * 6_000
    path.write_bytes(bytes(raw))
    return f"{path.relative_to(bundle)}: {kind} at {place}"


def _file(bundle: Path, files: list[Path], rng: random.Random) -> str:
    path = rng.choice(files)
    kind = rng.choice(("remove", "link", "fifo", "folder", "more", "swap", "out", "folder link"))
    if kind == "more":
        (bundle / rng.choice(("more.json", "codec/x.json", ".hidden"))).write_text("{}")
        return "a file more"
    if kind == "swap":
        other = rng.choice([one for one in files if one.suffix == path.suffix])
        shutil.copyfile(other, path) if other != path else None
        return f"{path.relative_to(bundle)}: content of {other.relative_to(bundle)}"
    if kind == "folder link":
        moved = bundle.parent / "elsewhere"
        if path.parent != bundle and not moved.exists():
            path.parent.rename(moved)
            path.parent.symlink_to(moved)
        return f"{path.parent.name}: a link to a folder outside"
    path.unlink()
    if kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "out":
        path.symlink_to(bundle.parent / "elsewhere.json")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    return f"{path.relative_to(bundle)}: {kind}"
