"""Make the lists of what is claimed from done campaigns: launch/claims.csv, launch/README.md, the tables of README.md.

    python scripts/make_claims.py [--output-dir outputs]      read every done campaign of a recipe, then write all three
    python scripts/make_claims.py --check                     exit code 3 where a table is not what claims.csv says

A recipe is a shell file in launch/; its header names the claim, the campaigns it makes, how many points they have, what
they cost and who reads them. Rows of campaigns that are not in this output folder stay as they are.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import fmean, stdev

from bench_fidelity import OF_THE_RECIPE, suffix

from tabgraphsyn.data.files import write_text
from tabgraphsyn.data.untrusted import plain_json, read_form
from tabgraphsyn.errors import ConfigError, TabGraphSynError, listing
from tabgraphsyn.exports.claims import PLACE, Claim, claims_text, read_claims
from tabgraphsyn.exports.contents import MetricsForm, ScoreForm, moment
from tabgraphsyn.exports.point import Point, artifact, find_point, point_record
from tabgraphsyn.exports.record import METRICS, CrateForm
from tabgraphsyn.orchestration.campaign.campaigns import CAMPAIGN, find_campaigns, read_campaign

ROOT = Path(__file__).resolve().parents[1]
HEADER = ("claim", "campaigns", "points", "runs", "cost", "outputs", "table")
"""What the header of every recipe says, one line each, ``# key: text``."""
BEGIN, END = "<!-- claims {}: scripts/make_claims.py writes this table -->", "<!-- end of claims -->"

_SEED = re.compile(r" seed=\d+(?=$| )")
_BY_TABLE = ("c2st", "copies")
_COLUMNS = (
    ("shapes", "column_shapes|database|database"),
    ("pairs", "pair_trends|database|database"),
    ("1-hop", "khop_trends|database|1-hop"),
    ("siblings", "sibling_trends|database|database"),
    ("C2ST by table", "c2st|table|*"),
    ("C2ST-Agg", "c2st_agg|database|database"),
    ("copies", "copies|table|*"),
)


@dataclass(frozen=True)
class Recipe:
    """A shell file in launch/ and what its header says."""

    name: str
    header: Mapping[str, str]

    @property
    def pattern(self) -> str:
        """Pattern of the names of its campaigns."""
        return self.header["campaigns"]

    def row(self, campaign: str, point: str) -> str:
        """Return the name of a campaign's row: what the pattern leaves open, and the point of a sweep."""
        named = re.fullmatch(re.escape(self.pattern).replace(r"\*", "(.*)"), campaign)
        parts = [*(named.groups() if named else ()), *([] if point == "default" else [point])]
        return ", ".join(parts) or campaign


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output-dir", type=Path, default=Path("outputs"))
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    try:
        return _checked() if options.check else _written(options.output_dir.resolve())
    except TabGraphSynError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def recipes() -> list[Recipe]:
    """Return the recipes of launch/ with their headers.

    Raises:
        ConfigError: a header that lacks a line.
    """
    return [read_recipe(path) for path in sorted((ROOT / "launch").glob("*.sh"))]


def read_recipe(path: Path) -> Recipe:
    """Return a recipe from its file; see ``recipes``."""
    found = dict(re.findall(r"^# (\w+): (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE))
    missing = [key for key in HEADER if key not in found]
    if missing:
        raise ConfigError(f"{path.name}: its header must say {listing(missing)}, one line each: # key: text.")
    return Recipe(path.stem, {key: found[key].strip() for key in HEADER})


def _written(output_dir: Path) -> int:
    kept = _known()
    mine = [recipe for recipe in recipes() if recipe.header["table"] == "scripts/make_claims.py"]
    new = [
        claim
        for recipe in mine
        for name in find_campaigns(output_dir)
        if fnmatchcase(name, recipe.pattern)
        for claim in campaign_claims(recipe, output_dir, name)
    ]
    replaced = {(claim.campaign, claim.point) for claim in new}
    claims = [claim for claim in kept if (claim.campaign, claim.point) not in replaced] + new
    claims.sort(key=lambda claim: claim.id)
    write_text(ROOT / PLACE, claims_text(claims))
    for path, text in _texts(claims).items():
        write_text(path, text)
    print(f"{len(claims)} claims, {len(new)} of them from {len({claim.campaign for claim in new})} campaigns read now")
    return 0


def _checked() -> int:
    different = [path.relative_to(ROOT) for path, text in _texts(_known()).items() if path.read_text() != text]
    for path in different:
        print(f"{path}: it is not what {PLACE} says. Run scripts/make_claims.py; its tables are not typed.")
    return 3 if different else 0


def _known() -> list[Claim]:
    path = ROOT / PLACE
    return read_claims(path) if path.is_file() else []


def campaign_claims(recipe: Recipe, output_dir: Path, name: str) -> Iterator[Claim]:
    """Yield the claims of a campaign's done points."""
    for point in read_campaign(output_dir, name).points:
        found = find_point(f"{name}/{point}", output_dir)
        try:
            record = point_record(found)
        except TabGraphSynError as error:
            print(f"{name}/{point}: left out: {error}", file=sys.stderr)
            continue
        yield from _point_claims(recipe, found, record)


def _point_claims(recipe: Recipe, point: Point, record: CrateForm) -> Iterator[Claim]:
    further = further_overrides(point)
    row = recipe.row(record.campaign.removesuffix(suffix(further)), record.point)
    stages = list(record.stages.values())
    command = " ".join([f"launch/{recipe.name}.sh", *_argument(recipe, row), *further])
    row = " ".join([row, *further])
    last = stages[-1].made
    code = (
        f"{last.code.get('commit') or last.code.get('source', '')}{' with changes' if last.code.get('changes') else ''}"
    )
    machine = " ".join(str(last.machine.get(key, "")) for key in ("system", "architecture", "vendor")).strip()
    vectors = str(last.machine.get("vectors", "")).split()[-1:]
    torch = next((str(stage.made.libraries["torch"]) for stage in stages if "torch" in stage.made.libraries), "")

    def claim(cell: str, measure: str, value: float, interval: tuple[float, float] | None = None) -> Claim:
        ends = (repr(interval[0]), repr(interval[1])) if interval else ("", "")
        return Claim(
            f"{recipe.name}/{row}/{cell}", recipe.name, f"{row} / {cell}", record.campaign, record.point, measure,
            repr(value), *ends, command, code,
            moment(last.started)[:10], " ".join([machine, *vectors, f"torch {torch}"]),
        )  # fmt: skip

    for score in read_form(artifact(point, "evaluate", METRICS), MetricsForm).scores:
        if _is_claimed(score):
            yield claim(_cell(score), "|".join(score.key), score.value, score.interval)
    yield claim("seconds", "seconds", round(sum(stage.made.elapsed_s for stage in stages), 1))
    yield claim("memory", "memory_mb", max(stage.made.peak_memory_mb for stage in stages))


def further_overrides(point: Point) -> list[str]:
    """Return what a launch was told beyond its recipe: another model is another claim, where it ran is none."""
    folder = point.folder.parent
    if point.folder.name != "default" or not (folder / CAMPAIGN).is_file():
        return []
    words = [str(word) for word in plain_json(folder / CAMPAIGN).get("command", ())]
    return [word for word in words if re.split(r"[.=]", word.lstrip("+~"))[0] not in OF_THE_RECIPE]


def _argument(recipe: Recipe, row: str) -> list[str]:
    return [row] if "*" in recipe.pattern else []


def _is_claimed(score: ScoreForm) -> bool:
    if score.comparison not in ("synthetic", "real_real"):
        return False
    return score.level == "database" or (score.level == "table" and score.metric in _BY_TABLE)


def _cell(score: ScoreForm) -> str:
    parts = [score.metric, *([] if score.where == "database" else [score.where])]
    return ".".join([*parts, *(["real"] if score.comparison == "real_real" else [])])


def _texts(claims: Sequence[Claim]) -> dict[Path, str]:
    """Return what each file that is made from the claims must hold."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    for recipe in recipes():
        begin = BEGIN.format(recipe.name)
        if begin in text:
            before, _, rest = text.partition(begin)
            table = score_table([claim for claim in claims if claim.recipe == recipe.name])
            text = f"{before}{begin}\n{table}\n{END}{rest.partition(END)[2]}"
    return {readme: text, ROOT / "launch" / "README.md": recipe_page(recipes(), claims)}


def recipe_page(found: Sequence[Recipe], claims: Sequence[Claim]) -> str:
    """Return the text of ``launch/README.md``."""
    lines = [
        "# Recipes: one shell file a claim",
        "",
        "Made by `scripts/make_claims.py` from the headers and from done campaigns. Every number is a row of",
        f"`{PLACE}`: cell, campaign, point, measure, value, interval, command, commit, date, class of machine.",
        "`dry_run=true` behind a recipe shows what it would run. `tabgraphsyn reproduce CRATE --claim ID` computes one",
        "again.",
        "",
    ]
    for recipe in found:
        own = [claim for claim in claims if claim.recipe == recipe.name]
        made = sorted({f"{claim.date}, {claim.commit[:12]}, {claim.machine}" for claim in own})
        lines += [
            f"## `{recipe.name}.sh`",
            "",
            f"{recipe.header['claim']}",
            "",
            f"- runs: {recipe.header['runs']}",
            f"- cost: {recipe.header['cost']}",
            f"- outputs: `{recipe.header['outputs']}`; table: `{recipe.header['table']}`",
            f"- claims: {len(own)} numbers of {len({(claim.campaign, claim.point) for claim in own})} points",
            *(f"  - {line}" for line in made),
            "",
        ]
    return "\n".join(lines)


def score_table(claims: Sequence[Claim]) -> str:
    """Return the Markdown table of a recipe's claims, a row per database or point; seeds of one commit share theirs."""
    rows: dict[tuple[str, str], dict[str, dict[str, Claim]]] = {}
    for claim in claims:
        row = claim.cell.split(" / ")[0]
        seeds = rows.setdefault((_SEED.sub("", row), claim.commit), {})
        seeds.setdefault(row, {})[claim.measure] = claim
    heads = ["database", *(name for name, _ in _COLUMNS), "seconds of stages, peak memory", "commit"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for (row, commit), seeds in sorted(rows.items()):
        own = list(seeds.values())
        named = f"{row}, {len(own)} seeds" if len(own) > 1 else next(iter(seeds))
        cells = [_score_cell(own, measure) for _, measure in _COLUMNS]
        seconds, memory = max(one["seconds"].number for one in own), max(one["memory_mb"].number for one in own)
        cost = f"{seconds:.0f} s, {memory:.0f} MB"
        lines.append(f"| {' | '.join([named, *cells, cost, commit[:7] + commit[40:]])} |")
    return "\n".join(lines)


def _score_cell(seeds: Sequence[Mapping[str, Claim]], measure: str) -> str:
    """Return ``synthetic / real against real`` of one score, or of every table: the mean, and its spread over seeds."""
    metric, level, where = measure.split("|")
    found = []
    for place in dict.fromkeys(key.split("|")[2] for key in seeds[0] if key.startswith(f"{metric}|{level}|")):
        sides = [
            [one[key].number for one in seeds if key in one]
            for key in (f"{metric}|{level}|{place}|{side}" for side in ("synthetic", "real_real"))
        ]
        if where in ("*", place) and sides[0]:
            text = f"{_spread(sides[0])} / {_short(fmean(sides[1])) if sides[1] else '-'}"
            found.append(f"{place} {text}" if where == "*" else text)
    return ", ".join(found) or "-"


def _spread(values: Sequence[float]) -> str:
    """Return the mean, with the standard deviation over seeds where there are several."""
    return _short(fmean(values)) + (f" ± {_short(stdev(values))}" if len(values) > 1 else "")


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0") if value < 1 else f"{value:.0f}"


if __name__ == "__main__":
    sys.exit(main())
