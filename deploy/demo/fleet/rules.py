"""The policies of the made-up fleet: one of several kinds for each dataset.

rules_of(plan, created)        # list[Rule]
"""

from datetime import datetime, timedelta
from typing import Any

from deploy.demo.fleet.plan import PlannedDataset
from security.rules import DISCOVER, FEDERATION, PERMISSION, PROHIBITION, READ, Rule


def rules_of(plan: PlannedDataset, now: datetime) -> list[Rule]:
    """The rules; `now` is when the fleet is looked at, and what ends soon ends soon after."""
    named = [Rule(f"read-{who}", PERMISSION, who, (READ,)) for who in plan.readers]
    everybody_sees = Rule("members-see", PERMISSION, FEDERATION, (DISCOVER,))
    everybody_reads = Rule("members-read", PERMISSION, FEDERATION, (READ,))
    if plan.sharing == "federation":
        return [everybody_reads]
    if plan.sharing == "named":
        return named + [Rule(f"see-{who}", PERMISSION, who, (DISCOVER,)) for who in plan.seers]
    if plan.sharing == "seen":
        return [everybody_sees, *named]
    if plan.sharing == "ending":
        end = (now + timedelta(days=4)).replace(hour=0, minute=0, second=0, microsecond=0)
        return [Rule(f"until-{who}", PERMISSION, who, (READ,), not_after=end) for who in plan.readers]
    if plan.sharing == "but one":
        return [everybody_reads, Rule("not-this-one", PROHIBITION, plan.readers[0], (DISCOVER,))]
    return []


def readers_of(plan: PlannedDataset, partners: list[str]) -> list[str]:
    """Who of `partners` may read it now."""
    others = [each for each in partners if each != plan.owner.id]
    if plan.sharing == "federation":
        return others
    if plan.sharing == "but one":
        return [each for each in others if each != plan.readers[0]]
    return [] if plan.sharing == "kept" else [each for each in others if each in plan.readers]


def terms_of(plan: PlannedDataset) -> dict[str, Any] | None:
    """What the owner adds in words to some of its policies."""
    if plan.sharing not in ("named", "ending"):
        return None
    return {"text": {"en": "For scientific use; name the source. No resale."}}
