"""``tabgraphsyn models rm``: one sweep point, by what ``tabgraphsyn rm`` does with a campaign."""

from __future__ import annotations

from dataclasses import replace

from tabgraphsyn.data.files import write_json
from tabgraphsyn.errors import ConfigError
from tabgraphsyn.orchestration.campaign import showing
from tabgraphsyn.orchestration.campaign.campaigns import CAMPAIGN, Campaign
from tabgraphsyn.orchestration.reading.garbage import Item, item, removal
from tabgraphsyn.orchestration.registry.models import Model
from tabgraphsyn.orchestration.stored.ledger import submission_lock
from tabgraphsyn.orchestration.stored.records import below
from tabgraphsyn.verbs.place import chosen_campaigns
from tabgraphsyn.verbs.rm import confirmed, is_mine, refuse_if_alive, refuse_tagged, remove, rm, show_removal


def remove_model(model: Model, *, yes: bool) -> None:
    """Remove a sweep point: its results, and its stages that no other point, campaign or user needs.

    Raises:
        ConfigError: it is tagged, another user's, or nobody said yes.
        StageError: it runs, or may.
    """
    whole = model.campaign
    if len(whole.points) == 1:
        rm(whole.name, whole.output_dir, yes)
        return
    if not is_mine(whole.folder):
        raise ConfigError(f"{whole.folder}: another user's campaign.")
    refuse_if_alive(whole)
    refuse_tagged(whole, model.point)
    rest = replace(whole, points={name: point for name, point in whole.points.items() if name != model.point})
    others = [each for each in chosen_campaigns(whole.output_dir, None) if each.name != whole.name]
    alone = replace(whole, points={model.point: model.record})
    # Launches are the campaign's: their scripts and logs stay with it.
    going = replace(removal(alone, [rest, *others], is_mine), launches=[], results=_results(whole, model.point))
    show_removal(model.name, 1, going)
    if not yes and not confirmed():
        raise ConfigError("nothing was removed. --yes removes it without a question.")
    _forget(rest)
    remove(model.folder, going)
    print(f"{model.name}: removed")


def _results(campaign: Campaign, point: str) -> Item:
    folder = below(campaign.folder, point)
    folder.mkdir(exist_ok=True)  # nothing was shown yet: there is nothing to size
    return item("", folder)


def _forget(rest: Campaign) -> None:
    """Write the campaign's record and its lists without the point."""
    from tabgraphsyn.data.untrusted import plain_json
    from tabgraphsyn.orchestration.stored.records import MOST_RECORD_BYTES

    with submission_lock(rest.output_dir):
        record = plain_json(rest.folder / CAMPAIGN, MOST_RECORD_BYTES)
        write_json(rest.folder / CAMPAIGN, {**record, "points": {n: vars(p) for n, p in rest.points.items()}})
        showing.write_wanted(rest.folder, (each for point in rest.points for each in rest.wanted(point)))
