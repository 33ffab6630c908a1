"""How far a stage is and how long it took, in words."""

from __future__ import annotations

from pathlib import Path

from tabgraphsyn.tracking.jsonl import last_lines


def measured(folder: Path) -> str:
    """Return the last step, rate and loss of a stage in words, from its metrics.jsonl."""
    lines = last_lines(folder / "metrics.jsonl")
    if not lines:
        return ""
    last = lines[-1]
    parts = [f"{last['progress']:.0%}"] if isinstance(last.get("progress"), int | float) else []
    parts.append(f"step {last['step']:,}")
    first = lines[0]
    elapsed = float(last.get("time_s", 0)) - float(first.get("time_s", 0))
    if isinstance(last.get("rows_per_s"), int | float):
        parts.append(f"{last['rows_per_s']:,.0f} rows/s")
    elif elapsed > 0 and last["step"] > first["step"]:
        parts.append(f"{(last['step'] - first['step']) / elapsed:,.1f} steps/s")
    losses = [f"{key} {value:.4g}" for key, value in last.items() if "loss" in key and isinstance(value, int | float)]
    return ", ".join(parts + losses[:1])


def duration(seconds: float) -> str:
    """Return seconds in words.

    >>> duration(4.24), duration(75), duration(7300)
    ('4.2 s', '1 min 15 s', '2 h 01 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
