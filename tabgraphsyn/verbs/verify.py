"""``tabgraphsyn verify``: a crate, a sweep point, a campaign or a whole store, piece by piece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabgraphsyn.errors import EXIT_STAGE, ConfigError
from tabgraphsyn.orchestration.stored.sharing import is_shared, user_name
from tabgraphsyn.orchestration.stored.store import DONE, State, Store, discard, done_file_problems
from tabgraphsyn.verbs.place import OUTPUTS, OutputDir, chosen_campaigns, own_folders

if TYPE_CHECKING:
    from tabgraphsyn.exports.findings import Finding
    from tabgraphsyn.exports.point import Point
    from tabgraphsyn.orchestration.campaign.campaigns import Campaign


def verify(
    what: Annotated[
        str | None,
        typer.Argument(help="A crate (folder or .zip), a point (folder, CAMPAIGN/POINT), a campaign; else the store."),
    ] = None,
    output_dir: OutputDir = OUTPUTS,
    rescore: Annotated[
        bool, typer.Option("--rescore", help="Sample from the bundle again, and score the tables again.")
    ] = False,
    data: Annotated[str | None, typer.Option("--data", help="Where the real tables lie, for --rescore.")] = None,
    root: Annotated[str | None, typer.Option("--root", help="Root hash of the crate, as published elsewhere.")] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Of a store: take back what is damaged; the next launch computes it again.")
    ] = False,
) -> None:
    """Say of each piece that it matches, differs, or was not checked and why; exit code 3 if one differs.

    Hashes lie beside the files: they show damage, and what was changed without them. Whoever changes a file can renew
    its hash and all that names it; that is found by computing again (--rescore, and `tabgraphsyn reproduce`), or by a
    root hash that was published elsewhere (--root). In a shared store the owner of the files tells who published them.
    """
    if data is not None and not rescore:
        raise ConfigError("--data: only --rescore reads the real tables. Add it.")
    if what is not None and (looked := _looked(what, output_dir, rescore, data, root)) is not None:
        _tell(looked, what)
        return
    if rescore or root is not None:
        raise ConfigError(f"--rescore and --root are for one crate or point, found {what or 'the whole store'!r}.")
    _check_store(what, output_dir, repair)


def _looked(what: str, output_dir: Path, rescore: bool, data: str | None, root: str | None) -> list[Finding] | None:
    """Return the findings of a crate or point, or None for a campaign."""
    from tabgraphsyn.exports.archive import is_archive
    from tabgraphsyn.exports.point import find_point, is_point
    from tabgraphsyn.exports.record import CRATE

    path = Path(what).expanduser()
    if is_archive(path) or (path / CRATE).is_file():
        return _crate(path, rescore, data, root)
    if is_point(path) or "/" in what.strip("/"):
        from tabgraphsyn.exports.verify import point_findings

        point = find_point(what, output_dir)
        found = point_findings(point)
        return [*found, *_again(point, data)] if rescore else found
    return None


def _crate(path: Path, rescore: bool, data: str | None, root: str | None) -> list[Finding]:
    from tabgraphsyn.exports.archive import opened_crate
    from tabgraphsyn.exports.rescoring import rescored
    from tabgraphsyn.exports.verify import crate_findings

    with opened_crate(path) as folder:
        found = crate_findings(folder, root)
        return [*found, *(rescored(folder, data) if rescore else ())]


def _again(point: Point, data: str | None) -> list[Finding]:
    from tabgraphsyn.exports.rescoring import rescored_point

    return rescored_point(point, data)


def _tell(findings: list[Finding], what: str) -> None:
    from tabgraphsyn.exports.findings import counted, is_true

    for finding in findings:
        print(finding.line())
    print(f"{what}: {counted(findings)}")
    if not is_true(findings):
        raise typer.Exit(EXIT_STAGE)


def _check_store(campaign: str | None, output_dir: Path, repair: bool) -> None:
    """Hold every published file of a store against the hash it was published with."""
    store = Store(own_folders(output_dir) / "stages")
    chosen = None if campaign is None else chosen_campaigns(output_dir, campaign)[0]
    owners: Counter[int] = Counter()
    checked, damaged = 0, 0
    for stage_id in store.stage_ids() if chosen is None else chosen.stage_ids():
        folder = store.folder(stage_id)
        problems = done_file_problems(folder)
        if problems is None:
            # What a launch that runs or stopped has not computed yet is no damage; what is shown of it is.
            if chosen is not None and _is_shown(chosen, stage_id):
                damaged += 1
                print(f"{stage_id}: its results are shown, and the stage is not done any more")
            continue
        checked += 1
        if not problems:
            owners[(folder / DONE).stat().st_uid] += 1
            continue
        damaged += 1
        for text in problems:
            print(f"{stage_id.split('/')[0]}/{text}")
        if repair and store.state(stage_id) is not State.RUNNING:
            discard(folder)
            print(f"{stage_id}: taken back; the next launch computes it again")
    if chosen is not None and checked and not damaged:
        damaged += _wrong_points(chosen)
    if not checked:
        raise ConfigError(f"{store.root}: no published stage there, nothing was checked. --output-dir names a store.")
    print(f"{checked} published stages checked, {damaged} damaged")
    if is_shared(store.root.parent):
        print(f"published by {_counted(owners)}: trust them; whoever may write here can forge a stage with its hashes")
    if damaged and not repair:
        raise typer.Exit(EXIT_STAGE)


def _wrong_points(campaign: Campaign) -> int:
    """Look at every done point of a campaign, print what differs, and return how many points do."""
    from tabgraphsyn.exports.findings import DIFFERS
    from tabgraphsyn.exports.point import Point
    from tabgraphsyn.exports.verify import point_findings

    wrong = 0
    for name, record in campaign.points.items():
        if any(campaign.store.done(each) is None for each in record.stages.values()):
            continue
        found = [each for each in point_findings(Point(campaign, name), with_stages=False) if each.verdict == DIFFERS]
        wrong += bool(found)
        for finding in found:
            print(f"{name}: {finding.line()}")
    return wrong


def _is_shown(campaign: Campaign, stage_id: str) -> bool:
    from tabgraphsyn.orchestration.campaign.showing import shown_signature

    kind, signature = stage_id.split("/")
    return any(shown_signature(campaign.folder / point, kind) == signature for point in campaign.points)


def _counted(owners: Counter[int]) -> str:
    named: Iterable[tuple[str, int]] = ((user_name(number), count) for number, count in owners.most_common())
    return ", ".join(f"{name} {count}" for name, count in named) or "nobody"
