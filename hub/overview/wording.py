"""What is said to a person, in English, by code; a language's catalogue translates the templates.

* Every `Message.code` and every kind of an event stands in `TEMPLATES` (a test looks). A template is
  translated first, and then takes its parameters; translations use the same names in any order.
* A parameter whose name ends in `_bytes` is said as a size, `_s` as a duration, and `_word` by its own
  template `word.<value>`, where there is one. All others, and words of a node's own, are said as they stand.
* `say` never raises: a parameter that is missing or null is said as `–`, an unknown code as itself.

    say(Message(code="attention.node-silent", params={"partner": "la-dgm", "node": "main", "since_s": 7200}))
    # la-dgm (node main) has not reported for 2 hours
"""

from collections.abc import Callable, Mapping

from core.terminal import bytes_text
from hub.overview.model import Message

_NOTHING = "–"

# --- general (A) -------------------------------------------------------------------------------------------

_GENERAL = {
    "duration.seconds": "{n} s",
    "duration.minutes": "{n} minutes",
    "duration.hours": "{n} hours",
    "duration.days": "{n} days",
    # States of nodes
    "word.alarm": "alarm",
    "word.silent": "silent",
    "word.trouble": "trouble",
    "word.stuck": "stuck",
    "word.behind": "behind",
    "word.in sync": "in sync",
    "word.no report yet": "no report yet",
    "word.left": "left",
    # Standing of partners
    "word.invited": "invited",
    "word.pending": "waits for approval",
    "word.active": "member",
    "word.suspended": "suspended",
    "word.revoked": "revoked",
    # Freshness
    "word.fresh": "fresh",
    "word.due": "due",
    "word.late": "late",
    "word.unknown": "unknown",
    # Severity
    "word.info": "information",
    "word.warning": "warning",
    "word.error": "error",
    # Kinds of alarms
    "word.two-histories": "the hub has shown two histories",
    "word.rolled-back": "the hub has shown two histories: its log was turned back",
    "word.frozen": "the hub's log does not grow",
    "word.hidden-registry": "a registry statement is in the log and was not given",
    "word.foreign-version": "a version in its own name that it did not sign",
    "word.delivery-not-allowed": "a delivery that its policy did not allow",
    "word.lane-gap": "a record of its own is missing from the log",
    "word.wrong-opening": "an opening that does not belong to its leaf",
    "word.dropped-leaf": "a version that the hub acknowledged is not in the log",
    # Acts that wait for signatures
    "word.act.enrol": "enrol",
    "word.act.revoke": "revoke",
    "word.act.rotate": "change the signing key of",
    "word.act.auditor": "enrol or revoke the auditor",
}

# --- what a person must look at (A) ------------------------------------------------------------------------

_ATTENTION = {
    "attention.alarm": "ALARM by {partner} (node {node}): {kind_word} ({id}, since {since})",
    "remedy.alarm": "ask {partner} for this alarm's folder; keep this hub's directory and all of its copies",
    "attention.log-frozen": "the log's last checkpoint was made {since_s} ago: nodes take the log for frozen",
    "remedy.log-frozen": "read the hub's log for why it signs none",
    "attention.approval": "{partner} (node {node}) waits for approval; this hub sees the fingerprint"
    " {fingerprint}",
    "remedy.approval": "compare it by telephone, then approve it",
    "attention.request": "{asked_by} asks for a second person: {act_word} {object}",
    "remedy.request": "confirm or refuse it on the pages; nobody confirms what he has asked for",
    "attention.signature": "waits for signatures: {act_word} {partner} {node}",
    "remedy.signature": "sign where the administrators' keys are",
    "attention.registry-expired": "the registry has expired ({expires}): nodes refuse to work",
    "attention.registry-due": "the registry is due for renewal; it ends {expires}",
    "remedy.registry": "sign the next one where the administrators' keys are",
    "attention.admin-keys": "the administrators' keys are still on this machine, in {directory}",
    "remedy.admin-keys": "move them to another one as soon as the federation is real; give them with --keys"
    " DIR",
    "attention.hub-not-running": "the hub does not run",
    "remedy.hub-not-running": "start it",
    "attention.hub-disk": "{free_bytes} are free on the hub's disk; uploads stop at {reserve_bytes}",
    "attention.hub-disk-days": "the hub's disk will be full in {days} days, as it went lately",
    "remedy.hub-disk": "free some space, or move {directory} to a larger disk",
    "attention.hub-certificate-expired": "the hub's own certificate has expired ({expires})",
    "attention.hub-certificate-due": "the hub's own certificate ends {expires} and was not renewed",
    "remedy.hub-certificate": "restart the hub: it issues a new one when it starts; read its log if not",
    "attention.hub-not-writable": "{directory} cannot be written",
    "remedy.hub-not-writable": "correct its rights or mount",
    "attention.backup-old": "the newest backup was made {since_s} ago",
    "attention.backup-none": "no backup was ever made",
    "remedy.backup": "make one, and look why none was made in time",
    "attention.node-silent": "{partner} (node {node}) has not reported for {since_s}",
    "remedy.node-silent": "ask {partner} whether its machine and line are up",
    "attention.node-stuck": "{partner} (node {node}) has {left_bytes} to move, and nothing moved for"
    " {since_s}",
    "remedy.node-stuck": "ask {partner} about its line; its own `syncline-node doctor` tells more",
    "attention.node-fault": "{partner} (node {node}), {about}: {message}",
    "remedy.node-fault": "{partner}: {remedy}",
    "remedy.ask": "ask {partner}",
    "attention.node-more": "{partner} (node {node}) has {count} more problems",
    "attention.node-clock": "the clock of {partner} (node {node}) is wrong by {offset_s}",
    "remedy.node-clock": "{partner} should let the machine take its time from the network (NTP)",
    "attention.node-disk": "{partner} (node {node}) has {free_bytes} free on the disk of {disk}",
    "attention.node-disk-days": "{partner} (node {node}): the disk of {disk} will be full in {days} days",
    "remedy.node-disk": "{partner} frees some space there, or mirrors less",
    "attention.node-certificate-expired": "the certificate of {partner} (node {node}) has expired"
    " ({expires})",
    "attention.node-certificate-due": "the certificate of {partner} (node {node}) ends {expires} and was not"
    " renewed",
    "remedy.node-certificate": "a running node renews it by itself: ask {partner} what its log says",
    "attention.owner-decision": "{partner} (node {node}) must decide about {dataset}: {text}",
    "attention.owner-decisions": "{count} datasets wait for their owners' decisions",
    "remedy.owner-decision": "{partner} looks with `syncline-node status` and approves or corrects it",
    "attention.quota-full": "{partner} has used up its quota: {used_bytes} of {quota_bytes}",
    "attention.quota-near": "{partner} has used {percent} % of its quota: {used_bytes} of {quota_bytes}",
    "remedy.quota": "raise it under [quota.partners] in hub.toml and restart the hub, or leave it",
    "attention.datasets-late": "{count} datasets are late, by their owners' own cadence",
    "remedy.datasets-late": "ask the owners: {owners}",
}

# --- what happened to nodes (A) ----------------------------------------------------------------------------

_NODE_EVENTS = {
    "node.silent": "{partner} (node {node}) went silent: its last report came {last_seen}",
    "node.back": "{partner} (node {node}) reports again, after {silent_s}",
    "node.stuck": "{partner} (node {node}) is stuck with {left_bytes} to move",
    "node.trouble": "{partner} (node {node}) reports a problem: {reason} {about}",
    "node.recovered": "{partner} (node {node}) is well again: {state_word}",
    "node.report-refused": "a status report of {partner} (node {node}) was refused: {reason}",
}

# --- datasets, holders, policies, transfers, log, storage (B) ----------------------------------------------

_DATASETS: dict[str, str] = {}

# --- users, sessions, acts (E) -----------------------------------------------------------------------------

_ACTS: dict[str, str] = {}

# --- alerts (G) --------------------------------------------------------------------------------------------

_ALERTS: dict[str, str] = {}

#: The English templates, by code.
TEMPLATES: dict[str, str] = {**_GENERAL, **_ATTENTION, **_NODE_EVENTS, **_DATASETS, **_ACTS, **_ALERTS}

Gettext = Callable[[str], str]


def _english(template: str) -> str:
    return template


def say(message: Message, gettext: Gettext = _english) -> str:
    """The message in the language of `gettext`, which translates templates."""
    template = TEMPLATES.get(message.code)
    if template is None:
        return message.code
    return _filled(gettext(template), template, _said(message.params, gettext))


def word(value: str, gettext: Gettext = _english) -> str:
    """A state or kind in words; a value without a template as it stands."""
    template = TEMPLATES.get(f"word.{value}")
    return value if template is None else gettext(template)


def duration(seconds: float, gettext: Gettext = _english) -> str:
    """`2 hours`: in the largest unit of which there are two."""
    whole = abs(int(seconds))
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if whole >= 2 * size:
            return gettext(TEMPLATES[f"duration.{unit}"]).format(n=whole // size)
    return gettext(TEMPLATES["duration.seconds"]).format(n=whole)


class _Params(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return _NOTHING


def _said(params: Mapping[str, str | int | None], gettext: Gettext) -> _Params:
    said = _Params()
    for name, value in params.items():
        if value is None:
            said[name] = _NOTHING
        elif name.endswith("_word"):
            said[name] = word(str(value), gettext)
        elif isinstance(value, int) and name.endswith("_bytes"):
            said[name] = bytes_text(value)
        elif isinstance(value, int) and name.endswith("_s"):
            said[name] = duration(value, gettext)
        else:
            said[name] = str(value)
    return said


def _filled(translated: str, english: str, params: _Params) -> str:
    try:
        return translated.format_map(params)
    except (ValueError, IndexError, KeyError, AttributeError):  # a catalogue's slip must not cost the page
        return english.format_map(params)
