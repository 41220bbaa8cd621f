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
    # Acts of the operator, as requests name them
    "word.act.invite": "invite",
    "word.act.approve": "approve",
    "word.act.reject": "reject",
    "word.act.suspend": "suspend",
    "word.act.resume": "resume",
    "word.act.revoke": "revoke",
    "word.act.acknowledge": "acknowledge an alarm of",
    # Lines of attention, summed up
    "word.kind.node-silent": "nodes that do not report",
    "word.kind.node-stuck": "nodes that are stuck",
    "word.kind.node-fault": "problems of nodes",
    "word.kind.node-more": "nodes with more problems",
    "word.kind.node-clock": "nodes with a wrong clock",
    "word.kind.node-disk": "disks of nodes that are full",
    "word.kind.node-disk-days": "disks of nodes that fill up",
    "word.kind.node-certificate-due": "certificates of nodes that end soon",
    "word.kind.node-certificate-expired": "certificates of nodes that have expired",
    "word.kind.owner-decision": "datasets that wait for their owner",
    "word.kind.quota-full": "quotas that are used up",
    "word.kind.quota-near": "quotas that are nearly used up",
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
    "attention.signature.enrol": "waits for signatures: enrol node {node} of {partner}",
    "attention.signature.revoke": "waits for signatures: revoke {partner}",
    "attention.signature.rotate": "waits for signatures: change the signing key of node {node} of {partner}",
    "attention.signature.leave": "waits for signatures: node {node} of {partner} has left",
    "attention.signature.auditor": "waits for signatures: enrol or revoke the auditor {partner}",
    "remedy.signature": "sign where the administrators' keys are",
    "attention.registry-expired": "the registry has expired ({expires}): nodes refuse to work",
    "attention.registry-due": "the registry is due for renewal; it ends {expires}",
    "remedy.registry": "sign the next one where the administrators' keys are",
    "attention.admin-keys": "the administrators' keys are still on this machine, in {directory}",
    "remedy.admin-keys": "move them to another one as soon as the federation is real; give them with --keys"
    " DIR",
    "attention.hub-not-running": "the hub does not run",
    "remedy.hub-not-running": "start it",
    "remedy.hub-restored": "it was restored: the administrators continue its log before it runs",
    "attention.hub-disk": "{free_bytes} are free on the hub's disk; uploads stop at {reserve_bytes}",
    "attention.hub-disk-days": "the hub's disk will be full in {left_s}, as it went lately",
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
    "attention.node-more": "further problems of {partner} (node {node}): {count}",
    "attention.node-clock": "the clock of {partner} (node {node}) is wrong by {offset_s}",
    "remedy.node-clock": "{partner} should let the machine take its time from the network (NTP)",
    "attention.node-disk": "{partner} (node {node}) has {free_bytes} free on the disk of {disk}",
    "attention.node-disk-days": "{partner} (node {node}): the disk of {disk} will be full in {left_s}",
    "remedy.node-disk": "{partner} frees some space there, or mirrors less",
    "attention.node-certificate-expired": "the certificate of {partner} (node {node}) has expired"
    " ({expires})",
    "attention.node-certificate-due": "the certificate of {partner} (node {node}) ends {expires} and was not"
    " renewed",
    "remedy.node-certificate": "a running node renews it by itself: ask {partner} what its log says",
    "attention.owner-decision": "{partner} (node {node}) must decide about {dataset}: {text}",
    "remedy.owner-decision": "{partner} looks with `syncline-node status` and approves or corrects it",
    "attention.quota-full": "{partner} has used up its quota: {used_bytes} of {quota_bytes}",
    "attention.quota-near": "{partner} has used {percent} % of its quota: {used_bytes} of {quota_bytes}",
    "remedy.quota": "raise it under [quota.partners] in hub.toml and restart the hub, or leave it",
    "attention.datasets-late": "late by their owners' own cadence: {count} of the datasets",
    "remedy.datasets-late": "ask the owners: {owners}",
    "attention.more": "and {count} more: {kind_word}",
    "remedy.more": "the fleet's list has all of them",
}

# --- what happened to nodes (A) ----------------------------------------------------------------------------

_NODE_EVENTS = {
    "hub.started": "the hub began to run ({version})",
    "pages.ended": "the process that serves the pages ended by itself (exit status {status});"
    " it was started again",
    "node.silent": "{partner} (node {node}) went silent: its last report came {last_seen}",
    "node.back": "{partner} (node {node}) reports again, after {silent_s}",
    "node.stuck": "{partner} (node {node}) is stuck with {left_bytes} to move",
    "node.trouble": "{partner} (node {node}) reports a problem: {reason} {about}",
    "node.recovered": "{partner} (node {node}) is well again: {state_word}",
    "node.report-refused": "a status report of {partner} (node {node}) was refused: {reason}",
}

# --- datasets, holders, policies, transfers, log, storage (B) ----------------------------------------------

_DATASETS: dict[str, str] = {
    # Rules, as sentences
    "word.federation": "every member of the federation, future ones too",
    "word.may.read": "see and read it",
    "word.may.discover": "see that it exists, but not read it",
    "word.may-not.read": "read it",
    "word.may-not.discover": "see or read it",
    "rule.may": "{assignee_word} may {action_word}",
    "rule.may-from": "{assignee_word} may {action_word}, from {from}",
    "rule.may-until": "{assignee_word} may {action_word}, until {until}",
    "rule.may-from-until": "{assignee_word} may {action_word}, from {from} until {until}",
    "rule.may-not": "{assignee_word} may not {action_word}",
    "rule.may-not-from": "{assignee_word} may not {action_word}, from {from}",
    "rule.may-not-until": "{assignee_word} may not {action_word}, until {until}",
    "rule.may-not-from-until": "{assignee_word} may not {action_word}, from {from} until {until}",
    # Decisions, explained
    "access.owner": "{partner} is the owner",
    "access.not-active": "{partner} is no member in good standing ({standing_word}): it gets nothing",
    "access.no-policy": "{owner} has shared nothing yet",
    "access.reads": "rule {rule} lets {assignee_word} read it",
    "access.reads-until": "rule {rule} lets {assignee_word} read it until {until}",
    "access.prohibited": "rule {rule} forbids it to {assignee_word}",
    "access.prohibited-until": "rule {rule} forbids it to {assignee_word} until {until}",
    "access.read-prohibited": "it may see that it exists; rule {rule} forbids {assignee_word} to read it",
    "access.read-prohibited-until": "it may see that it exists; rule {rule} forbids {assignee_word} to read"
    " it until {until}",
    "access.sees": "rule {rule} lets it see that it exists; no rule lets it read",
    "access.sees-yet": "rule {rule} lets it see that it exists; another lets it read from {begins}",
    "access.sees-any-more": "rule {rule} lets it see that it exists; it was allowed to read it until {ended}",
    "access.nothing": "no rule in force names {partner}: it does not know that this exists",
    "access.nothing-yet": "no rule in force names {partner}; one lets it read from {begins}",
    "access.nothing-any-more": "no rule in force names {partner}; it was allowed to read it until {ended}",
    # Holders
    "word.current": "current",
    "word.failed": "failed",
    "word.withheld": "withheld",
    "word.not shared": "not shared",
    "word.not wanted": "not wanted",
    "word.ended": "ended",
    "word.owner": "owner",
    "holder.publishes": "{partner} is the owner; this node publishes it",
    "holder.owner": "{partner} is the owner",
    "holder.current": "it acknowledged version {seq}, the newest; rule {rule} lets it read",
    "holder.unsent": "the owner's node has yet to send the bytes of version {newest}; rule {rule} lets it"
    " read",
    "holder.no-version": "there is no version yet; rule {rule} lets it read",
    "holder.no-node": "it has no node yet; rule {rule} lets it read",
    "holder.failed": "its node reports a fault; rule {rule} lets it read",
    "holder.behind": "it holds version {seq} of {newest}; rule {rule} lets it read",
    "holder.fetching": "it holds version {seq} of {newest} and has {left_bytes} to fetch; rule {rule} lets it"
    " read",
    "holder.first": "it holds none yet; rule {rule} lets it read",
    "holder.first-fetching": "it holds none yet and has {left_bytes} to fetch; rule {rule} lets it read",
    "holder.unacknowledged": "it says that it holds version {newest}; its acknowledgement has not come yet",
    "holder.not-wanted": "its node does not mirror it; rule {rule} lets it read",
    "holder.not-wanted-holds": "its node no longer mirrors it and has version {seq}; rule {rule} lets it"
    " read",
    # Leaves of the log, as something that happened
    "log.version": "{partner} published version {seq} of {dataset}",
    "log.version-withheld": "{partner} signed version {seq} of {dataset}; its bytes stay with {partner} until"
    " a rule lets somebody read",
    "log.policy": "{partner} put policy {seq} of {dataset} in force",
    "log.delivery": "{dataset}, version {seq}: delivery to {partner} (node {node}) began, by rule {rule} of"
    " policy {policy_seq}",
    "log.acknowledgement": "{partner} (node {node}) holds {dataset}, version {seq}",
    "log.registry": "registry {seq} is in force",
    "log.refusals": "refused calls from {from} until {to}: {count} ({reasons})",
    "log.alarm": "ALARM by {partner} (node {node}): {kind_word} ({id})",
    "log.other": "{type} by {partner}: {dataset}",
    "log.act.other": "{actor} {user}: {act} {object}",
    "log.act.invite": "{partner} was invited (node {node})",
    "log.act.approve": "{partner} (node {node}) was approved",
    "log.act.reject": "{partner} (node {node}) was rejected",
    "log.act.suspend": "{partner} was suspended",
    "log.act.resume": "{partner} was resumed",
    "log.act.revoke": "{partner} was revoked",
    "log.act.rotate-keys": "{partner} (node {node}) asks for a new signing key",
    "log.act.leave": "{partner} (node {node}) left the federation: {reason}",
    "log.act.export": "evidence of {partner} was exported for {for}",
    "log.act.continue-log": "the log continues after a restore: {reason}",
    "log.act.add-content": "{partner} sent the withheld bytes of {dataset}, version {seq}",
    "log.act.request": "{user} asks for a second person: {for_word} {partner}",
    "log.act.confirm": "{user} confirms: {for_word} {partner}, asked for by {asked_by}",
    "log.act.refuse": "{user} refuses: {for_word} {partner}, asked for by {asked_by}",
    "log.act.acknowledge-alarm": "{user} acknowledged the alarm {object} of {partner} (node {node}):"
    " {reason}",
    "log.act.add-auditor": "auditor {object}: to be enrolled",
    "log.act.revoke-auditor": "auditor {object}: to be revoked",
    "log.act.login": "{user} signed in to the pages",
    "log.act.logout": "{user} signed out of the pages",
    "log.act.login-refused": "a sign-in to the pages was refused ({user})",
    "log.act.user-add": "{user} may use the pages: {roles}",
    "log.act.user-roles": "the roles of {user} are now {roles}",
    "log.act.user-password": "the password of {user} was changed",
    "log.act.user-unlock": "{user} was unlocked",
    "log.act.user-remove": "{user} may not use the pages any more",
    # The hub's own housekeeping
    "fsck": "fsck read everything again; problems that it found: {problems}",
    # Datasets that need somebody
    "attention.dataset-late": "{dataset} is late: a version was due {due}",
    "attention.dataset-left": "{owner} has left the federation: no more versions are expected",
    "attention.dataset-shrunk": "version {seq} of {dataset} is much smaller than the one before:"
    " {before_bytes} before (files: {files_before}), {now_bytes} now (files: {files})",
    "attention.holders-failed": "partners that report a fault with {dataset}: {count}",
    "remedy.dataset-late": "ask {owner} when the next version comes",
    "remedy.dataset-left": "those who may read it still can; nothing to do",
    "remedy.dataset-shrunk": "ask {owner} whether it meant to; what was there stays in version {before}",
    "remedy.holders-failed": "each line of the holders says what the node reports",
}

# --- users, sessions, acts (E) -----------------------------------------------------------------------------

_ACTS: dict[str, str] = {
    "login.refused": "Name or password are wrong, or the account is locked for a while after wrong passwords",
    "login.throttled": "Too many wrong passwords came from your address: wait a while, or use a browser in"
    " which you have signed in before",
    "login.busy": "Too many sign in at once: try again in a moment",
    "login.locked": "{user} was locked after too many wrong passwords",
    "word.act.invite": "invite",
    "word.act.approve": "approve",
    "word.act.resume": "resume",
    "word.act.suspend": "suspend",
    "word.act.reject": "reject",
    "word.done": "done",
    "word.queued": "waits for the administrators' signatures",
    "word.confirmed": "confirmed",
    "word.refused": "refused",
    "word.expired": "expired",
    "act.failed": "Nothing was done: {problem} → {remedy}",
    "act.waits": "{act_word} {partner}: this waits until a second person confirms it",
    "act.ready": "{act_word} {partner}: confirmed; who asked for it fetches the join file now",
    "act.refused": "{act_word} {partner}: refused; nothing was done",
    "act.done.approve": "{partner} is a member; its node fetches the certificate by itself",
    "act.queued.approve": "{partner} is accepted and waits for the administrators' signatures",
    "act.done.reject": "The requests and invitations of {partner} that waited are worthless now",
    "act.done.suspend": "{partner} is suspended: its calls are refused, its open streams end within seconds",
    "act.done.resume": "{partner} may call again; its nodes come back by themselves",
    "act.done.revoke": "{partner} is revoked: refused from now on, and struck in the signed registry",
    "act.queued.revoke": "{partner} is refused from now on; the registry that strikes it waits for the"
    " administrators' signatures",
    "act.done.acknowledge": "The alarm of {partner} is acknowledged, in the log with your name and reason",
}

# --- alerts (G) --------------------------------------------------------------------------------------------

_ALERTS: dict[str, str] = {
    "alert.late": "{dataset} is late: its next version was due {due} ({title})",
    "remedy.late": "ask {owner} when it comes; if less often is meant, {owner} says so in update_frequency",
    "alert.authority": "the hub's certificate authority ends {expires}: no node can connect after that",
    "remedy.authority": "found a new federation in good time, or ask for a release that can renew it",
    "alert.quorum": "too few witnesses have cosigned the log within a day: {fresh} of {seen}; {needed} are"
    " needed",
    "remedy.quorum": "see on the log's page who has not, and ask them whether their nodes run",
    "alert.refusals": "{partner} was refused {count} times within an hour: {reasons}",
    "remedy.refusals": "ask {partner} what its node tries; suspend it if nobody there knows",
    "alert.refusals-strangers": "callers that are not known were refused {count} times within an hour:"
    " {reasons}",
    "remedy.refusals-strangers": "see in the hub's log from where; close the port to them in the firewall",
    "alert.fsck": "problems that the last fsck found in what is stored: {count}",
    "remedy.fsck": "run `syncline-hub fsck` and restore from a backup what it names",
    "attention.channel-failing": "alerts by {channel} do not arrive: {problem} (attempts: {attempts},"
    " messages that wait: {waiting})",
    "remedy.channel-failing": "{remedy}; then try with `syncline-hub alerts test`",
    "alert-told": "told by {channel}: {subject}",
    "alert-failed": "an alert by {channel} did not arrive: {problem}",
    "alert-given-up": "an alert by {channel} was given up (attempts: {attempts}): {subject}",
    # A message that goes out
    "letter.new": "New",
    "letter.worse": "Worse than told",
    "letter.still": "Still so",
    "letter.over": "Over",
    "letter.count.new": "{count} new",
    "letter.count.worse": "{count} worse",
    "letter.count.still": "{count} still",
    "letter.count.over": "{count} over",
    "letter.subject.over": "over: {text}",
    "letter.subject.trial": "a trial: alerts of this hub come this way",
    "letter.since": "since {since}",
    "letter.lasted": "from {since} to {seen}",
    "letter.more": "And {count} more: see {command}.",
    "letter.all": "All of it: {place}",
    "letter.command": "`syncline-hub status` on the hub",
    "letter.trial": "This is a trial: nothing is wrong. Alerts of this hub will come this way.",
    "letter.last": "This is message {count} within an hour, the most that are sent. What else arises is told"
    " together after {until}; see {command}.",
    "letter.held": "Messages were held back since {since}: at most {count} an hour are sent.",
    "letter.passed": "Alerts that were over by now and are not told: {count}.",
}

# --- backups (H) -------------------------------------------------------------------------------------------

_BACKUPS = {
    "backup.made": "a backup was made to {place}: {added_bytes} were new",
    "backup.failed": "a backup to {place} failed: {problem}",
    "hub.restored": "the hub was restored from {snapshot}; its log goes on from there",
}

#: The English templates, by code.
TEMPLATES: dict[str, str] = {
    **_BACKUPS,
    **_GENERAL,
    **_ATTENTION,
    **_NODE_EVENTS,
    **_DATASETS,
    **_ACTS,
    **_ALERTS,
}

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
