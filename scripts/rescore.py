"""Score published synthetic files by this project's code, several runs to mean and spread, beside ours, in one page.

    python scripts/rescore.py FOLDER [--ours outputs/campaigns/NAME ...] [--protocol syntherela] [--out rescored]

FOLDER is of SyntheRela's layout: ``original/<data set>/`` and ``synthetic/<data set>/<method>/<run>/sample<n>/``.
``--ours`` names campaigns (or points) of this project; their points are runs of the method ``TabGraphSyn``. What is
compared must be of one data set: a point counts for the folder that has its data set's name. Scores that exist are read
again, so that a run that was cut off goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tabgraphsyn.errors import ConfigError, TabGraphSynError

OURS = "TabGraphSyn"
_STYLE = """body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}
div{overflow-x:auto}table{border-collapse:collapse}td,th{border:1px solid #8886;padding:.2rem .6rem;text-align:right}
th:first-child,td:first-child{text-align:left}"""
Runs = dict[str, dict[str, dict[str, dict[str, Any]]]]
"""data set -> method -> run -> metrics.json."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Score, collect and write ``rescored.json`` and ``rescored.html``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ours", type=Path, nargs="*", default=[])
    parser.add_argument("--protocol", default="syntherela")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="evaluation.KEY=VALUE")
    parser.add_argument("--out", type=Path, default=Path("rescored"))
    given = parser.parse_args(arguments)
    try:
        runs = scored(given.folder, given.protocol, tuple(given.overrides), given.out)
        for place in given.ours:
            _add_ours(runs, place)
    except TabGraphSynError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    rows = summary(runs)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "rescored.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    (given.out / "rescored.html").write_text(page(rows, given.protocol), encoding="utf-8")
    print(f"{len(rows)} means: {given.out / 'rescored.html'}")
    return 0


def scored(folder: Path, protocol: str, overrides: tuple[str, ...], out: Path) -> Runs:
    """Score every sample of a folder of SyntheRela's layout.

    Raises:
        ConfigError: no sample there, or no real tables beside them.
    """
    from tabgraphsyn.stages.outside_sweep import evaluate_folders
    from tabgraphsyn.verbs.evaluate_sources import sources

    found: Runs = defaultdict(lambda: defaultdict(dict))
    sampled = [source for source in sources(None, folder, None, out / "runs") if source.name]
    # Another protocol's scores are no scores of this one.
    place_of = out / "runs" / "-".join([protocol, *([_short(overrides)] if overrides else [])])
    if not sampled:
        raise ConfigError(f"{folder}: samples in SyntheRela's layout expected, found none.")
    for source in sampled:
        dataset, method, run = source.name.split("/", 2)
        place = place_of / source.name
        kept = place / "metrics.json"
        if not kept.is_file():
            print(source.name, flush=True)
            evaluate_folders(
                real=source.real,
                synthetic=source.synthetic,
                metadata=source.metadata,
                out=place,
                protocol=protocol,
                overrides=overrides,
            )
        found[dataset][method][run] = json.loads(kept.read_text(encoding="utf-8"))
    return found


def _short(overrides: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(overrides).encode()).hexdigest()[:8]


def _add_ours(runs: Runs, place: Path) -> None:
    points = (
        [place] if (place / "metrics.json").is_file() else sorted(path.parent for path in place.glob("*/metrics.json"))
    )
    if not points:
        raise ConfigError(f"{place}: a campaign or a point with metrics.json expected, found none.")
    for point in points:
        config = yaml.safe_load((point / "config.yaml").read_text(encoding="utf-8"))
        dataset = config["dataset"].get("name") or Path(str(config["dataset"]["path"])).name
        run = f"{point.parent.name}/{point.name}"
        runs[dataset][OURS][run] = json.loads((point / "metrics.json").read_text(encoding="utf-8"))


def summary(runs: Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]]) -> list[dict[str, Any]]:
    """Return a row for each data set, method, metric and place: mean, deviation over runs, real against real."""
    rows = []
    for dataset, methods in sorted(runs.items()):
        for method, by_run in methods.items():
            values: dict[tuple[str, str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
            for scores in by_run.values():
                for metric, where, direction, comparison, value in _wanted(scores):
                    values[metric, where, direction][comparison].append(value)
            for (metric, where, direction), sides in values.items():
                made, real = sides.get("synthetic", []), sides.get("real_real", [])
                if made:
                    rows.append(
                        {
                            "dataset": dataset,
                            "method": method,
                            "metric": metric,
                            "where": where,
                            "direction": direction,
                            "runs": len(made),
                            "mean": statistics.fmean(made),
                            "sd": statistics.stdev(made) if len(made) > 1 else None,
                            "real_real": statistics.fmean(real) if real else None,
                        }
                    )
    return rows


def _wanted(scores: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str, float]]:
    for score in scores["scores"]:
        if score["level"] in ("database", "table"):
            yield score["metric"], score["where"], score["direction"], score["comparison"], float(score["value"])


def page(rows: Sequence[Mapping[str, Any]], protocol: str) -> str:
    """Return one page: a table a data set, a line a metric and place, a column a method."""
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Scores by one code</title><style>{_STYLE}</style><h1>Scores by one code</h1>",
        f"<p>Protocol {html.escape(protocol)}; mean &plusmn; deviation over runs (number of runs); in brackets "
        "real against real, which is what can be reached. Points of this project may have left out a holdout, and are "
        "judged by the protocol of their own launch.</p>",
    ]
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        chosen = [row for row in rows if row["dataset"] == dataset]
        methods = sorted({row["method"] for row in chosen}, key=lambda name: (name == OURS, name))
        head = "".join(f"<th>{html.escape(method)}" for method in methods)
        parts.append(f"<h2>{html.escape(dataset)}</h2><div><table><tr><th>score<th>better{head}")
        lines: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
        for row in chosen:
            lines[row["metric"], row["where"], row["direction"]][row["method"]] = _cell(row)
        for (metric, where, direction), cells in lines.items():
            name = html.escape(f"{metric}: {where}")
            parts.append(
                f"<tr><td>{name}<td>{direction}" + "".join(f"<td>{cells.get(method, '')}" for method in methods)
            )
        parts.append("</table></div>")
    return "\n".join(parts) + "\n"


def _cell(row: Mapping[str, Any]) -> str:
    spread = "" if row["sd"] is None else f" &plusmn; {row['sd']:.3f}"
    real = "" if row["real_real"] is None else f" [{row['real_real']:.3f}]"
    return f"{row['mean']:.3f}{spread} ({row['runs']}){real}"


if __name__ == "__main__":
    sys.exit(main())
