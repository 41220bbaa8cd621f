"""Browsers in which a user has signed in before: strangers that lock an account do not shut its user out.

* A browser gets 32 random bytes with each sign-in, and keeps them after signing out; their digest is kept
  here, for each user that has signed in there, `limits.known_browser_s` long.
* A known browser has a count of wrong passwords and a lock of its own: what strangers try does not count
  against it, what is tried in it does not count against the account. Whoever steals the bytes has as many
  tries as that count allows, and no session.
* All are forgotten with a new password and with the user.

    token = browsers.remember(None, "vilay")
    browsers.knows(token, "vilay")                 # True

Source: OWASP, "Slow Down Online Guessing Attacks with Device Cookies".
"""

import secrets
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from core.clock import format_instant
from hub.services.context import Context
from hub.storage import schema
from security.digests import sha256_hex

_TOKEN_BYTES = 32
_OF_USER_MAX = 20

_table = schema.known_browsers


class KnownBrowsers:
    """Knows them. Thread-safe."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._clock = context.clock
        self._valid = timedelta(seconds=context.limits.known_browser_s)

    def knows(self, token: str | None, user: str) -> bool:
        """Whether `user`, in normal form C, has signed in with `token`."""
        if not token:
            return False
        with self._database.read() as connection:
            return self.find(connection, token, user) is not None

    def find(self, connection: sa.Connection, token: str | None, user: str) -> sa.Row[Any] | None:
        """What is known of it: `failures`, `locked_until`."""
        if not token:
            return None
        oldest = format_instant(self._clock.now() - self._valid)
        query = sa.select(_table).where(_table.c.token_sha256 == _digest(token), _table.c.user == user)
        return connection.execute(query.where(_table.c.seen > oldest)).one_or_none()

    def remember(self, token: str | None, user: str) -> str:
        """`user` has signed in where `token` was kept: the token to keep there from now on."""
        made = secrets.token_urlsafe(_TOKEN_BYTES)
        now = self._clock.now()
        oldest = format_instant(now - self._valid)
        with self._database.write(visible=False) as connection:
            connection.execute(_table.delete().where(_table.c.seen <= oldest))
            if token:  # the browser's other users are known under the new one as well
                connection.execute(
                    _table.update()
                    .where(_table.c.token_sha256 == _digest(token))
                    .values(token_sha256=_digest(made))
                )
            connection.execute(
                _table.delete().where(_table.c.token_sha256 == _digest(made), _table.c.user == user)
            )
            old = connection.execute(
                sa.select(_table.c.token_sha256)
                .where(_table.c.user == user)
                .order_by(_table.c.seen.desc())
                .offset(_OF_USER_MAX - 1)
            ).scalars()
            connection.execute(
                _table.delete().where(_table.c.user == user, _table.c.token_sha256.in_(list(old)))
            )
            connection.execute(
                _table.insert().values(
                    token_sha256=_digest(made), user=user, seen=format_instant(now), failures=0
                )
            )
        return made


def set_lock(connection: sa.Connection, row: sa.Row[Any], failures: int, locked_until: str | None) -> None:
    """What was tried in the browser of `row`."""
    connection.execute(
        _table.update()
        .where(_table.c.token_sha256 == row.token_sha256, _table.c.user == row.user)
        .values(failures=failures, locked_until=locked_until)
    )


def unlock_browsers(connection: sa.Connection, user: str) -> None:
    """All of that user."""
    connection.execute(_table.update().where(_table.c.user == user).values(failures=0, locked_until=None))


def forget_browsers(connection: sa.Connection, user: str) -> None:
    """All of that user."""
    connection.execute(_table.delete().where(_table.c.user == user))


def _digest(token: str) -> str:
    return sha256_hex(token.encode())
