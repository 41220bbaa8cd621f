"""What the words of the model are called on the pages, where `hub.overview.wording` has no template for them.

Themes, cadences, classifications, roles and the like: the values are those of manifests, ISO 19115 and hub.toml;
these are their English names, which catalogues translate.

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
    "watch": {"events": "events", "scan only": "scans only", "off": "off"},
    "enrolment": {
        "invited": "invited",
        "pending": "waits for approval",
        "joined": "waits for approval",
        "approved": "approved",
        "rejected": "rejected",
        "expired": "invitation expired",
        "replaced": "replaced",
    },
    "decision": {"confirmed": "confirmed", "refused": "refused", "expired": "expired", "failed": "failed"},
}


def word(value: str, gettext: Callable[[str], str], vocabulary: str = "") -> str:
    """What `value` is called; as it stands where nobody has named it."""
    own = WORDS.get(vocabulary, {}).get(value)
    return gettext(own) if own is not None else wording.word(value, gettext)
