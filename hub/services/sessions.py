"""Who is signed in: 32 random bytes at the browser, their digest here, with an end.

* A session ends `limits.session_idle_s` after its last request and `limits.session_s` after its begin,
  whatever happens; at once when it is signed out, and when its user's password or roles change.
* The token is made here, after the password was right: nobody can hand a token to a victim (fixation).
* Each session has a token for its forms, which is of no use elsewhere.

    token = sessions.begin("vilay")
    session = sessions.look_up(token)              # None: not signed in (any more)
    sessions.end(token)
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from core.clock import format_instant, parse_instant
from hub.services.context import Context
from hub.services.users import Role, UserService, roles_of
from hub.storage import schema
from security.digests import sha256_hex

_TOKEN_BYTES = 32
_SEEN_EVERY_S = 60
_SESSIONS_OF_USER_MAX = 20
_SESSION = (
    sa.select(schema.sessions, schema.users.c.roles)
    .join(schema.users, schema.users.c.name == schema.sessions.c.user)
    .where(schema.sessions.c.token_sha256 == sa.bindparam("digest"))
)


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in. `expires`: the end, if nothing more is asked."""

    user: str
    roles: frozenset[Role]
    csrf: str
    expires: datetime

    @property
    def can_act(self) -> bool:
        """Whether it may ask for acts."""
        return "operator" in self.roles

    @property
    def can_approve(self) -> bool:
        """Whether it may confirm what others ask for."""
        return "approver" in self.roles


class SessionService:
    """Sessions. Thread-safe."""

    def __init__(self, context: Context, users: UserService) -> None:
        self._database = context.database
        self._clock = context.clock
        self._limits = context.limits
        self._users = users

    def begin(self, user: str) -> str:
        """A new session's token, for a user whose password was right just now."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        now = self._clock.now()
        table = schema.sessions
        with self._database.write(visible=False) as connection:
            connection.execute(table.delete().where(table.c.expires <= format_instant(now)))
            old = connection.execute(
                sa.select(table.c.token_sha256)
                .where(table.c.user == user)
                .order_by(table.c.seen.desc())
                .offset(_SESSIONS_OF_USER_MAX - 1)
            ).scalars()
            connection.execute(table.delete().where(table.c.token_sha256.in_(list(old))))
            connection.execute(
                table.insert().values(
                    token_sha256=sha256_hex(token.encode()),
                    user=user,
                    csrf=secrets.token_urlsafe(_TOKEN_BYTES),
                    created=format_instant(now),
                    seen=format_instant(now),
                    expires=format_instant(now + timedelta(seconds=self._limits.session_s)),
                )
            )
        return token

    def look_up(self, token: str | None, *, touch: bool = True) -> Session | None:
        """The session of `token`, if it still runs; `touch`: somebody has asked for something."""
        if not token:
            return None
        digest, now = sha256_hex(token.encode()), self._clock.now()
        table = schema.sessions
        with self._database.read() as connection:
            row = connection.execute(_SESSION, {"digest": digest}).one_or_none()
        if row is None:
            return None
        seen, ends = parse_instant(row.seen), parse_instant(row.expires)
        idle_ends = seen + timedelta(seconds=self._limits.session_idle_s)
        if now >= min(ends, idle_ends):
            return None
        if touch and abs((now - seen).total_seconds()) >= _SEEN_EVERY_S:
            with self._database.write(visible=False) as connection:
                connection.execute(
                    table.update().where(table.c.token_sha256 == digest).values(seen=format_instant(now))
                )
            idle_ends = now + timedelta(seconds=self._limits.session_idle_s)
        return Session(row.user, roles_of(row.roles), row.csrf, min(ends, idle_ends))

    def end(self, token: str | None) -> None:
        """Sign out; nothing where there is no such session."""
        if not token:
            return
        table = schema.sessions
        with self._database.write(visible=False) as connection:
            user = connection.execute(
                sa.delete(table)
                .where(table.c.token_sha256 == sha256_hex(token.encode()))
                .returning(table.c.user)
            ).scalar_one_or_none()
            if user is not None:
                self._users.log_logout(connection, user)
