"""Fetch or build the databases behind the tables of README.md, and say where each of them is from.

    python scripts/fetch_data.py --list                        every database: origin, licence, what was changed
    python scripts/fetch_data.py airbnb cora --out data/       from their sources, changed as said, hashes checked
    python scripts/fetch_data.py airbnb --from DOWNLOADS       the same from files that lie there already
    python scripts/fetch_data.py --check data/airbnb           is a folder the database that was reported on?

Licences forbid to hand most of them on, so none lies in this repository; their metadata does (scripts/metadata/).
The two embedded ones are built by scripts/build_nycflights13.py and scripts/build_breast_cancer.py.
Exit code 3: a file is not what was reported on.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import shutil
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import tabgraphsyn

METADATA = Path(__file__).resolve().parent / "metadata"
_RAW = "https://raw.githubusercontent.com/{}/{}/{}"
_WAIT_S = 60
_Tables = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Source:
    """One database.

    Attributes:
        origin: who collected it.
        licence: as far as known.
        files: name here -> address.
        changed: what is done to them, in words.
        build: makes the tables of the files' contents.
        hashes: sha256 of each table's CSV as it was reported on.
        by_hand: what no address is known of; empty where everything is fetched.
    """

    origin: str
    licence: str
    files: Mapping[str, str]
    changed: str
    build: Callable[[Mapping[str, bytes]], _Tables]
    hashes: Mapping[str, str]
    by_hand: str = ""


def _github(repository: str, commit: str, folder: str, *names: str) -> dict[str, str]:
    return {name: _RAW.format(repository, commit, f"{folder}/{name}") for name in names}


def _read(content: bytes, **options: object) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(content), **options)  # type: ignore[call-overload,no-any-return]


def _as_it_is(files: Mapping[str, bytes]) -> _Tables:
    return {name.removesuffix(".csv"): _read(content) for name, content in files.items()}


def _cora(files: Mapping[str, bytes]) -> _Tables:
    heads = {
        "paper": ["paper_id", "class_label"],
        "content": ["paper_id", "word_cited_id"],
        "cites": ["cited_paper_id", "citing_paper_id"],
    }
    return {name: _read(files[f"{name}.csv"], header=None, names=head) for name, head in heads.items()}


def _mutagenesis(files: Mapping[str, bytes]) -> _Tables:
    tables = _as_it_is(files)
    return {**tables, "bond": tables["bond"][["bond_id", "atom1_id", "atom2_id", "type"]]}


def _rossmann(files: Mapping[str, bytes]) -> _Tables:
    tables = _as_it_is(files)
    test = tables["test"].assign(Open=lambda found: found["Open"].where(found["Open"] != 2).astype("Int64"))
    columns = ["Id", "Store", "DayOfWeek", "Date", "Open", "Promo", "StateHoliday", "SchoolHoliday"]
    return {"store": tables["store"], "test": test[columns]}


def _adult(files: Mapping[str, bytes]) -> _Tables:
    return {"adult": _read(files["census.csv.gz"], compression="gzip", na_values=["?"], skipinitialspace=True)}


def _aids(files: Mapping[str, bytes]) -> _Tables:
    found = _read(files["AIDS.csv"])
    found["cd496"] = found["cd496"].where(found["r"] != 0).astype("Int64")
    return {"aids": found[["id", *(name for name in found.columns if name != "id")]]}


def _beijing(files: Mapping[str, bytes]) -> _Tables:
    found = _read(files["PRSA_data_2010.1.1-2014.12.31.csv"])
    return {"beijing": found.rename(columns={"No": "no", "pm2.5": "pm25"})}


def _default(files: Mapping[str, bytes]) -> _Tables:
    return {"default": _read(files["creditcard_default.csv.gz"], compression="gzip")}


def _movielens(files: Mapping[str, bytes]) -> _Tables:
    inside = zipfile.ZipFile(io.BytesIO(files["recbole-1.2.1-py3-none-any.whl"]))

    def table(ending: str) -> pd.DataFrame:
        content = inside.read(f"recbole/dataset_example/ml-100k/ml-100k.{ending}")
        found = _read(content, sep="\t", dtype=str, keep_default_na=False)
        return found.rename(columns=lambda name: name.split(":")[0])

    items, ratings = table("item"), table("inter")
    genres = {"".join(each.lower().split("-")).replace("'", ""): each for row in items["class"] for each in row.split()}
    movies = pd.DataFrame({"item_id": items["item_id"]})
    movies["release_year"] = items["release_year"].where(items["release_year"].str.fullmatch(r"\d{4}"))
    for name in [*sorted(set(genres) - {"unknown"}), "unknown"]:
        movies[f"g_{name}"] = [genres.get(name) in row.split() for row in items["class"]]
    ratings["rated_at"] = pd.to_datetime(ratings.pop("timestamp").astype(int), unit="s")
    return {"users": table("user"), "movies": movies, "ratings": ratings}


def _flat_flights(_: Mapping[str, bytes]) -> _Tables:
    folder = Path(tabgraphsyn.__file__).parent / "data" / "embedded" / "nycflights13"
    planes, flights = (pd.read_parquet(folder / f"{name}.parquet").convert_dtypes() for name in ("planes", "flights"))
    return {"planes": planes, "flights": flights.drop(columns="weather_id")}


def _nothing(_: Mapping[str, bytes]) -> _Tables:
    return {}


_THESIS = ("ValterH/graphs-for-synthetic-relational-data-generation", "d15577445badf6846c82d51ec15d17f4a975bb20")
_KAGGLE = "Kaggle competition rules: competition, research and education; not to be handed on"
SOURCES: dict[str, Source] = {
    "nycflights13_flat": Source(
        "the embedded nycflights13 (scripts/build_nycflights13.py)",
        "CC0 1.0",
        {},
        "planes and flights alone: carrier, origin, dest are plain columns of flights, the key of its weather is gone",
        _flat_flights,
        {
            "flights.csv": "9ddd0642dd1f416d16e2fb2ea6b48e2af5a616a0b9ca1b96ee518858a22859e1",
            "planes.csv": "ceecc49d8784f423aa4b04cd5e5c21ff91d81cd64364e7c9b8b46654fa682cc0",
        },
    ),
    "walmart": Source(
        "Kaggle, Walmart Recruiting - Store Sales Forecasting (2014), December 2011, by way of SDV's demo data set",
        _KAGGLE,
        {},
        "features.csv has Kaggle's values: the copy fills 101 missing MarkDown values; 225 rows, 2011-12-02 to 30",
        _nothing,
        {
            "depts.csv": "8b2c1a427eec86fe77d3a26c23bcbc16a838f2a19ba0832c0b21f86efc27d055",
            "features.csv": "93be4aa06e93235196a5d676450f9d82e94a98137aec0aa50a8471243fa3aca6",
            "stores.csv": "b5a0057f88cfbc76a75d44b03e4ebc9b589e995ff9120606bd21f711629fdebf",
        },
        by_hand="stores.csv and depts.csv: github.com/KiwanKwon/Seq2Synth at 8346a95d, data/real/walmart/; "
        "features.csv: the same rows of Kaggle's file, e.g. github.com/Jasvinder21/WALMART-SALES-FORECASTING",
    ),
    "airbnb": Source(
        "Kaggle, Airbnb New User Bookings (2015), as in SyntheRela's airbnb-simplified_subsampled",
        _KAGGLE,
        _github("ValterH/dp-relational", "bfa3109801365c7482e9537e0904a6307c7bfa77",
                "data/original/airbnb-simplified_subsampled", "users.csv", "sessions.csv"),
        "written anew by pandas; metadata: no pattern of ids (theirs matches none), Float for age and secs_elapsed",
        _as_it_is,
        {
            "sessions.csv": "8f9e946cb64733e9c4d815b35caac58079e189b1469d126ab24a4772fc533254",
            "users.csv": "2940e78b9a3d9677e891c5e2ac5b8bab19e7a7323dbf64976d86bbf03318cc85",
        },
    ),
    "single_aids": Source(
        "Hammer et al. 1996, ACTG 175; UCI data set 890",
        "UCI: CC BY 4.0 (as remembered)",
        _github("rahatkhanyean/TabGraphSyn---Website", "4abff943e2ad62f3b125b86c57b4e1f1a13b9ef1",
                "src/data/original/AIDS", "AIDS.csv"),
        "id first; cd496 missing where r is 0, the study's own flag of that",
        _aids,
        {"aids.csv": "b4dd057fb7a908e21cae495017cda8b4e1c3428108b1707f21df7f4dd3557b79"},
    ),
    "rossmann_v1": Source(
        "Kaggle, Rossmann Store Sales (2015): stores and the test period",
        _KAGGLE,
        {
            **_github(*_THESIS, "data/rossmann-store-sales", "test.csv"),
            **_github("bradleyboehmke/rossmann-forecasting", "9553f37dc772850e634dc6fab4450ac18d8362c2", "data/raw",
                      "store.csv"),
        },
        "columns in another order; the 11 values 2 of Open are missing again, as in Kaggle's file",
        _rossmann,
        {
            "store.csv": "fefc3be5a06ad800e82af465ae6e7616a9a45dc827e8dfeb9bd6a2065c12b1c2",
            "test.csv": "c0d02caa1c706a299a2be0542c7f28fa6a5dcd2fdc60247e4038921dabd1c301",
        },
    ),
    "cora": Source(
        "LINQS, Sen et al. 2008; CTU Prague relational repository",
        "offered for research, no formal licence",
        _github("danielTLevy/equivariant_relational", "3bcf9ccc84986a951167bc3509c50a7c689a8c61", "data/cora",
                "paper.csv", "content.csv", "cites.csv"),
        "header lines added, names from its cora.sql",
        _cora,
        {
            "cites.csv": "49d8b0a493d6824c4740691e9bc47ae6b2695a6bed4980c66895bb3c6f39fd97",
            "content.csv": "a6ca9080f8eaf0e5d3fa0819c2b25996ff2d6c4c5ba877537c36bd2c9c576103",
            "paper.csv": "edcc9e2121f94e07d67d3f92caab1ab05e723167fb1e998e053bff24fc19fb7a",
        },
    ),
    "mutagenesis": Source(
        "Debnath et al. 1991; CTU Prague relational repository",
        "offered for research, no formal licence",
        _github(*_THESIS, "data/mutagenesis", "molecule.csv", "atom.csv", "bond.csv"),
        "columns of bond in another order",
        _mutagenesis,
        {
            "atom.csv": "53d1b2c599ede96e0620f8c677617c2be13977b6ced236ece5e5205eaefb1c17",
            "bond.csv": "7e1047e15ba03db18050669a39521327c7d67c84f448c5f9f43d6808dc588e9d",
            "molecule.csv": "d46712aba3faa807e73952116e7a6eb3a97d97add2b356b6928232af17abdbdb",
        },
    ),
    "movielens100k": Source(
        "GroupLens MovieLens 100k (1998)",
        "research use with acknowledgement, not to be handed on, not commercial (as remembered)",
        {"recbole-1.2.1-py3-none-any.whl": "pip download recbole==1.2.1 --no-deps"},
        "title dropped; a boolean column a genre; times as dates; years of other than four digits missing",
        _movielens,
        {
            "movies.csv": "e1ed65c1e36aa2cf1b87435b756de7bcfa5daa1f670ada8c8c55c92ec3278af7",
            "ratings.csv": "8d108b8ab89983313a072f075490ccb32ad5d5dba82642bd8f9516a6e949ae12",
            "users.csv": "f0666955a899ab27004d413eec2d92e393f5050879597e126ede637390e5a238",
        },
        by_hand="the wheel: pip download recbole==1.2.1 --no-deps --dest DOWNLOADS, then --from DOWNLOADS",
    ),
    "single_adult": Source(
        "UCI, Adult (census income), train and test together",
        "UCI: CC BY 4.0 (as remembered)",
        _github("mostly-ai/public-demo-data", "64020409bdc85b7a04a2e510be00f9f4cf47fd3d", "census", "census.csv.gz"),
        "? is missing",
        _adult,
        {"adult.csv": "9479f8b76861e48c66836d97937f2c5a469581672e12c795d770b297817ae3a1"},
    ),
    "single_beijing": Source(
        "Liang et al. 2015, Beijing PM2.5 2010 to 2014; UCI data set 381",
        "UCI: CC BY 4.0 (as remembered)",
        {"PRSA_data_2010.1.1-2014.12.31.csv": "UCI data set 381, its file PRSA_data_2010.1.1-2014.12.31.csv"},
        "No and pm2.5 are named no, pm25",
        _beijing,
        {"beijing.csv": "68ad96a66b6aa19e043391fd8fca0cee6c0d27cb790c451b96ded3fd0e66d5ee"},
        by_hand="PRSA_data_2010.1.1-2014.12.31.csv of UCI, e.g. github.com/naogelzc/PM2.5-Data-Mining-in-Beijing, "
        "then --from DOWNLOADS",
    ),
    "single_default": Source(
        "Yeh and Lien 2009, default of credit card clients; UCI data set 350",
        "UCI: CC BY 4.0 (as remembered)",
        _github("mostly-ai/public-demo-data", "64020409bdc85b7a04a2e510be00f9f4cf47fd3d", "creditcard_default",
                "creditcard_default.csv.gz"),
        "nothing",
        _default,
        {"default.csv": "daeca72345ef13df96be2cc1671a9925c77fd9ff493f55d6359b315c9f635a69"},
    ),
    "imdb_movielens": Source(
        "MovieLens 1M (GroupLens) joined with IMDb by SFU's Computational Logic Lab; CTU's imdb_MovieLens",
        "research use with acknowledgement, not to be handed on, not commercial (as remembered)",
        {},
        "SQL dumps as CSV; ratings are the 10 % that ClavaDDPM holds out, in the order of its rating_id, dropped",
        _nothing,
        {
            "actors.csv": "8eb92e190fc73141a85718917b3041b7cfef5edb2deae72d21748a7575e1a959",
            "directors.csv": "8e4e93f75a9f3a854a32d78b5f1aa3dae3aa175b4441fa74c87cde416b0c3bde",
            "movies.csv": "08b02010e8f0650ad0608d56993fb953ddd7ce28de5c9f06bd2e1fc40e0d736a",
            "movies2actors.csv": "4730dc88c0b947d783243b7d8166533e9bdca6dc343022e281f03f0384ea24a8",
            "movies2directors.csv": "6b167a81d80b96f5666ada4a9990385544c4dc15ec2dec184e53b408e4754c5a",
            "u2base.csv": "c45b62a9e367680992ae68e821a6faef8cd68c57790df845239906ec7ee8ab5d",
            "users.csv": "905c34d564a49338a9962efd0e2048a97f4fb3382dbe486327b12562c1ecabd3",
        },
        by_hand="six tables: github.com/sfu-cl-lab/FactorBase at e0833fd2, examples/imdb_MovieLens/*.sql; u2base.csv: "
        "github.com/weipang142857/ClavaDDPM at fa6ef4d7, complex_data/movie_lens/preprocessed/test/rating.csv",
    ),
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("data"))
    parser.add_argument("--from", dest="downloads", type=Path)
    parser.add_argument("--check", type=Path, metavar="FOLDER")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in SOURCES]
    if unknown:
        print(f"{unknown[0]}: no such database. There are {', '.join(SOURCES)}.", file=sys.stderr)
        return 2
    if options.check is not None:
        return _checked(options.check, options.check.name)
    if options.list or not options.names:
        print("\n".join(map(_described, SOURCES)))
        return 0
    return max(_fetched(name, options.out / name, options.downloads) for name in options.names)


def _described(name: str) -> str:
    source = SOURCES[name]
    places = [f"  {address}" for address in source.files.values()] + ([f"  {source.by_hand}"] if source.by_hand else [])
    return "\n".join(
        [f"{name}: {source.origin}", f"  licence: {source.licence}", f"  changed: {source.changed}", *places]
    )


def _fetched(name: str, folder: Path, downloads: Path | None) -> int:
    """Build one database below ``folder`` and return the exit code."""
    source = SOURCES[name]
    try:
        files = {file: _content(file, address, downloads) for file, address in source.files.items()}
    except (urllib.error.URLError, OSError, ValueError) as error:
        print(
            f"{name}: cannot be fetched ({error}). {source.by_hand or 'Give the files with --from.'}", file=sys.stderr
        )
        return 3
    tables = source.build(files)
    if not tables:
        print(f"{name}: to be fetched by hand: {source.by_hand}. Then --check tells whether it is the same.")
        return 3
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in tables.items():
        rows.to_csv(folder / f"{table}.csv", index=False)
    shutil.copyfile(METADATA / f"{name}.json", folder / "metadata.json")
    return _checked(folder, name)


def _content(file: str, address: str, downloads: Path | None) -> bytes:
    if downloads is not None:
        return (downloads / file).read_bytes()
    if not address.startswith("https://"):
        raise ValueError(f"no address: {address}")
    with urllib.request.urlopen(address, timeout=_WAIT_S) as answer:  # nosec B310 - https only
        content: bytes = answer.read()
    return content


def _checked(folder: Path, name: str) -> int:
    """Hold a folder's files against what was reported on and return the exit code."""
    if name not in SOURCES:
        print(f"{folder}: its name must be that of a database: {', '.join(SOURCES)}.", file=sys.stderr)
        return 2
    wanted = {**SOURCES[name].hashes, "metadata.json": _sha256(METADATA / f"{name}.json")}
    different = [file for file, digest in wanted.items() if _sha256(folder / file) != digest]
    for file in different:
        print(f"{folder / file}: {'not' if (folder / file).is_file() else 'missing, so not'} what was reported on")
    if not different:
        print(f"{folder}: the {len(wanted)} files that were reported on")
    return 3 if different else 0


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
