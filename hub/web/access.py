"""Who may ask for what: one rule for every route of the pages, and none without.

    rule = rule_of("/acts/approve")          # acts, for operators
    rule.allows(session)

A route without a rule is not served, `pages_app` refuses to be made: whoever adds one decides who may use it.
"""

from dataclasses import dataclass
from typing import Literal

from hub.services.sessions import Session
from hub.services.users import Role

#: How a request is answered: a page for people, JSON, a stream of events, a download, an act and a redirect.
Kind = Literal["page", "api", "stream", "download", "act", "static"]

_ALL: frozenset[Role] = frozenset({"operator", "approver", "auditor"})
_OPERATOR: frozenset[Role] = frozenset({"operator"})
_APPROVER: frozenset[Role] = frozenset({"approver"})
_AUDITOR: frozenset[Role] = frozenset({"auditor"})


@dataclass(frozen=True, slots=True)
class Rule:
    """`roles` empty: everybody, also without a session."""

    kind: Kind
    roles: frozenset[Role] = _ALL

    @property
    def is_open(self) -> bool:
        """Whether no session is needed."""
        return not self.roles

    @property
    def is_lasting(self) -> bool:
        """Whether an answer may take longer than a client is waited for, as long as it makes progress."""
        return self.kind in ("stream", "download")

    def allows(self, session: Session) -> bool:
        """Whether one of the session's roles may ask."""
        return self.is_open or bool(self.roles & session.roles)


_NOBODY: frozenset[Role] = frozenset()

#: By the path of the route, as it is registered.
RULES: dict[str, Rule] = {
    "/login": Rule("page", _NOBODY),
    "/static/{name}": Rule("static", _NOBODY),
    "/language/{tag}": Rule("static", _NOBODY),
    "/logout": Rule("act"),
    # Pages: everybody who is signed in sees the same.
    "/": Rule("page"),
    "/partners/{partner}": Rule("page"),
    "/datasets": Rule("page"),
    "/datasets/{owner}/{name}": Rule("page"),
    "/transfers": Rule("page"),
    "/events": Rule("page"),
    "/log": Rule("page"),
    "/storage": Rule("page"),
    "/map": Rule("page"),
    "/acts": Rule("page"),
    "/live": Rule("stream"),
    # Acts
    "/acts/invite": Rule("act", _OPERATOR),
    "/acts/collect": Rule("act", _OPERATOR),
    "/acts/approve": Rule("act", _OPERATOR),
    "/acts/reject": Rule("act", _OPERATOR),
    "/acts/suspend": Rule("act", _OPERATOR),
    "/acts/resume": Rule("act", _OPERATOR),
    "/acts/revoke": Rule("act", _OPERATOR),
    "/acts/acknowledge": Rule("act", _OPERATOR),
    "/acts/confirm": Rule("act", _APPROVER),
    "/acts/refuse": Rule("act", _APPROVER),
    "/export": Rule("download", _AUDITOR),
    # The same as JSON
    "/api/v1/openapi.json": Rule("api"),
    "/api/v1/fleet": Rule("api"),
    "/api/v1/partners/{partner}": Rule("api"),
    "/api/v1/datasets": Rule("api"),
    "/api/v1/datasets/{owner}/{name}": Rule("api"),
    "/api/v1/transfers": Rule("api"),
    "/api/v1/events": Rule("api"),
    "/api/v1/log": Rule("api"),
    "/api/v1/storage": Rule("api"),
    "/api/v1/map": Rule("api"),
}
