"""What the words of the model are called on the pages, where `hub.overview.wording` has no template for it.

Themes, cadences, classifications, roles and the like: the values are those of manifests, ISO 19115 and
hub.toml; these are their English names, which catalogues translate.

    word("basic-geology", language.gettext)              # "basic geology"
    word("in sync", language.gettext)                    # from the wording's own templates
"""

from collections.abc import Callable

from hub.overview import wording

#: By vocabulary, so that one word may have two meanings.
WORDS: dict[str, dict[str, str]] = {
    "theme": {
        "basic-geology": "basic geology",
        "hazard": "hazards",
        "mineral": "minerals",
        "investment": "investment",
        "other": "other",
    },
    "frequency": {
        "continual": "continually",
        "daily": "every day",
        "weekly": "every week",
        "fortnightly": "every two weeks",
        "semimonthly": "twice a month",
        "monthly": "every month",
        "quarterly": "every quarter",
        "biannually": "twice a year",
        "annually": "every year",
        "biennially": "every two years",
        "periodic": "periodically",
        "asNeeded": "as needed",
        "irregular": "irregularly",
        "notPlanned": "no further version is planned",
        "unknown": "not known",
    },
    "classification": {
        "unclassified": "unclassified",
        "restricted": "restricted",
        "sensitiveButUnclassified": "sensitive, not classified",
        "forOfficialUseOnly": "for official use only",
        "protected": "protected",
        "limitedDistribution": "limited distribution",
    },
    "source": {
        "declared": "declared by the owner",
        "extracted": "read from the data",
        "unknown": "not known",
    },
    "direction": {"up": "to the hub", "down": "from the hub"},
    "role": {"operator": "operator", "approver": "approver", "auditor": "auditor"},
    "actor": {"hub": "the hub", "operator": "a command at the hub"},
    "watch": {"events": "events", "scan only": "scans only", "off": "not at all"},
    "enrolment": {
        "invited": "invited",
        "pending": "waits for approval",
        "accepted": "waits for signatures",
        "approved": "approved",
        "rejected": "rejected",
        "expired": "invitation expired",
        "withdrawn": "invitation withdrawn",
        "superseded": "a newer invitation was made",
        "replaced": "replaced",
        "left": "left",
    },
    "outcome": {
        "confirmed": "confirmed",
        "done": "done",
        "queued": "waits for the administrators' signatures",
        "refused": "refused",
        "expired": "expired",
        "failed": "failed",
    },
    "detail": {
        "node": "Node",
        "names": "Names",
        "replace": "Takes the place of a lost node",
        "fingerprint": "Fingerprint",
        "reason": "Reason",
    },
    # A node's own words for its datasets (docs/formats/status.md)
    "work": {
        "not published yet": "not published yet",
        "up to date": "up to date",
        "published": "published",
        "signed, bytes withheld": "signed, bytes withheld",
        "nothing to publish": "nothing to publish",
        "waiting for approval": "waits for approval",
        "held": "held back",
        "fenced": "fenced: another node publishes in its place",
        "failed": "failed",
        "not fetched yet": "not fetched yet",
        "current": "current",
        "updated": "updated",
        "visible, not granted": "visible, not granted",
        "waiting for content": "waits for content",
        "waiting for the log": "waits for the log",
        "waiting for witnesses": "waits for witnesses",
        "not shared with us": "not shared with it",
        "grant ended": "grant ended",
        "needs attention": "needs attention",
    },
    "leaf": {
        "version": "versions",
        "policy": "policies",
        "delivery": "deliveries",
        "acknowledgement": "acknowledgements",
        "registry": "registry statements",
        "act": "acts",
        "alarm": "alarms",
        "refusals": "refused calls",
    },
}


def word(value: str, gettext: Callable[[str], str], vocabulary: str = "") -> str:
    """What `value` is called; as it stands where nobody has named it."""
    own = WORDS.get(vocabulary, {}).get(value)
    return gettext(own) if own is not None else wording.word(value, gettext)
