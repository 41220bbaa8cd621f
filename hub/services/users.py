"""Who may use the pages: local accounts with roles, kept at the hub alone.

* Roles: `operator` acts, `approver` confirms what others ask for (`[web] two_person`), `auditor` sees all and
  exports, and changes nothing. A user has one or more.
* After `limits.login_failures_max` wrong passwords in a row a user is locked for `limits.login_locked_s`, but
  for browsers in which it has signed in before: they have their own counts (`hub.services.known_browsers`).
  A stranger, a locked user and a wrong password get the same answer after the same work.
* When password or roles change, and when a user is removed, all its sessions end.
* Every change, login and logout is a leaf. Refused logins are, too, up to `_REFUSED_LEAVES_MAX` an hour; all
  are counted in the log's refusals (LOGIN). A name that nobody has is never kept: it may be a password.

    users.add("ວິໄລ", "correct horse battery staple", {"operator"})
    user = users.authenticate("ວິໄລ", "…")              # Denied (LOGIN)
"""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

import sqlalchemy as sa

from core.clock import format_instant, parse_instant
from core.errors import Conflict, Denied, InvalidInput
from hub.services.context import Context
from hub.services.events import EventJournal
from hub.services.known_browsers import KnownBrowsers, forget_browsers, set_lock, unlock_browsers
from hub.services.passwords import Passwords, check_strength
from hub.services.translog import Record, TransparencyLog
from hub.storage import schema

Role = Literal["operator", "approver", "auditor"]
ROLES: tuple[Role, ...] = get_args(Role)

NAME_LENGTH_MAX = 64
USERS_COUNT_MAX = 1_000
_REFUSED_LEAVES_MAX = 60
_REFUSED_S = 3600
_CATEGORIES = ("L", "M", "N")
_MARKS = frozenset("._-@'’ ")

#: What a record about accounts concerns: the pages themselves.
PAGES = "pages"


@dataclass(frozen=True, slots=True)
class User:
    """An account. `locked_until`: after too many wrong passwords."""

    name: str
    roles: frozenset[Role]
    created: datetime
    changed: datetime
    failures: int
    locked_until: datetime | None


def check_name(text: str) -> str:
    """`text` in normal form C, if it may be a user's name: letters of any script. Raises `InvalidInput`."""
    name = unicodedata.normalize("NFC", text)
    legal = all(unicodedata.category(c)[0] in _CATEGORIES or c in _MARKS for c in name)
    if not 1 <= len(name) <= NAME_LENGTH_MAX or not legal or name != name.strip() or "  " in name:
        raise InvalidInput(
            "this cannot be a user's name",
            remedy=f"use up to {NAME_LENGTH_MAX} letters and digits of any script, with . _ - @ or a space"
            " between",
            reason="USER_NAME",
        )
    return name


def check_roles(given: Iterable[str]) -> frozenset[Role]:
    """Raises `InvalidInput`."""
    known: dict[str, Role] = {role: role for role in ROLES}
    wanted = frozenset(given)
    if not wanted or not wanted <= known.keys():
        raise InvalidInput(
            "a user has one or more of the roles " + ", ".join(ROLES), remedy="give --role", reason="ROLE"
        )
    return frozenset(known[role] for role in wanted)


class UserService:
    """Accounts. Thread-safe."""

    def __init__(
        self,
        context: Context,
        translog: TransparencyLog,
        count_refusal: Callable[[None, str], None],
        events: EventJournal,
        passwords: Passwords | None = None,
    ) -> None:
        self._context = context
        self._database = context.database
        self._clock = context.clock
        self._limits = context.limits
        self._translog = translog
        self._count_refusal = count_refusal
        self._events = events
        self.passwords = passwords if passwords is not None else Passwords()
        self.browsers = KnownBrowsers(context)
        self._refused: list[datetime] = []

    def authenticate(self, name: str, password: str, browser: str | None = None) -> User:
        """The user, if this is its password and it is not locked; `browser`: the token of a known one.

        Raises `Denied` (LOGIN), the same for every reason; `Unavailable` (BUSY).
        """
        try:
            known = check_name(name)
        except InvalidInput:
            known = ""
        with self._database.read() as connection:
            row = _row(connection, known)
        newer, right = None, True
        try:
            newer = self.passwords.verify(None if row is None else row.password_hash, password)
        except Denied:
            right = False
        with self._database.write(visible=False) as connection:
            # As it is now: others may have tried meanwhile, and the password may be another one.
            now = self._clock.now()
            current = None if row is None else _row(connection, row.name)
            same = current is not None and row is not None and current.password_hash == row.password_hash
            own = None if current is None else self.browsers.find(connection, browser, current.name)
            counted = current if own is None else own
            locked = counted is not None and _is_locked(counted, now)
            if current is not None and right and same and not locked:
                self._count_at(connection, current, own, 0, None)
                if newer is not None:
                    self._set(connection, current.name, password_hash=newer)
                self._log(connection, "login", current.name)
                return _user(current)
            self._count(connection, current, own, now, counts=not right and not locked)
        self._count_refusal(None, "LOGIN")
        raise Denied(
            "name or password are wrong, or the account is locked for a while",
            remedy="after some failures wait a quarter of an hour, or ask for `syncline-hub user unlock`",
            reason="LOGIN",
        )

    def knows_browser(self, name: str, token: str | None) -> bool:
        """Whether a user has signed in before where `token` is kept."""
        return self.browsers.knows(token, unicodedata.normalize("NFC", name))

    def add(self, name: str, password: str, roles: Iterable[str]) -> User:
        """Raises `InvalidInput`, `Conflict` (USER_EXISTS)."""
        wanted, allowed = check_name(name), check_roles(roles)
        check_strength(password, wanted)
        hash_ = self.passwords.hash(password)
        now = format_instant(self._clock.now())
        with self._database.write(visible=False) as connection:
            names = list(connection.execute(sa.select(schema.users.c.name)).scalars())
            alike = next((each for each in names if _key(each) == _key(wanted)), None)
            if alike is not None:
                raise Conflict(
                    f"there is a user {alike} already", remedy="choose another name", reason="USER_EXISTS"
                )
            if len(names) >= USERS_COUNT_MAX:
                raise InvalidInput(
                    f"there are {len(names)} users; no hub needs more", reason="TOO_MANY_USERS"
                )
            connection.execute(
                schema.users.insert().values(
                    name=wanted,
                    password_hash=hash_,
                    roles=_text(allowed),
                    created=now,
                    changed=now,
                    failures=0,
                    locked_until=None,
                )
            )
            self._log(connection, "user-add", wanted, roles=_text(allowed))
            return _user(_known(connection, wanted))

    def get(self, name: str) -> User:
        """Raises `InvalidInput` (NO_SUCH_USER)."""
        with self._database.read() as connection:
            return _user(_known(connection, name))

    def list(self) -> list[User]:
        """All of them, by name."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(schema.users).order_by(schema.users.c.name)).all()
        return [_user(row) for row in rows]

    def set_password(self, name: str, password: str) -> None:
        """And end its sessions, and a lock; its browsers are known no more.

        Raises `InvalidInput` (NO_SUCH_USER, WEAK_PASSWORD).
        """
        with self._database.read() as connection:
            user = _known(connection, name).name
        check_strength(password, user)
        hash_ = self.passwords.hash(password)
        with self._database.write(visible=False) as connection:
            _known(connection, user)
            self._set(connection, user, password_hash=hash_, failures=0, locked_until=None)
            self._changed(connection, user)
            forget_browsers(connection, user)
            self._log(connection, "user-password", user)

    def set_roles(self, name: str, roles: Iterable[str]) -> User:
        """And end its sessions. Raises `InvalidInput` (NO_SUCH_USER, ROLE)."""
        allowed = check_roles(roles)
        with self._database.write(visible=False) as connection:
            user = _known(connection, name).name
            self._set(connection, user, roles=_text(allowed))
            self._changed(connection, user)
            self._log(connection, "user-roles", user, roles=_text(allowed))
            return _user(_known(connection, user))

    def unlock(self, name: str) -> None:
        """Let it try again at once. Raises `InvalidInput` (NO_SUCH_USER)."""
        with self._database.write(visible=False) as connection:
            user = _known(connection, name).name
            self._set(connection, user, failures=0, locked_until=None)
            unlock_browsers(connection, user)
            self._log(connection, "user-unlock", user)

    def remove(self, name: str) -> None:
        """With its sessions; what it did stays in the log. Raises `InvalidInput` (NO_SUCH_USER)."""
        with self._database.write(visible=False) as connection:
            user = _known(connection, name).name
            end_sessions(connection, user)
            forget_browsers(connection, user)
            connection.execute(schema.users.delete().where(schema.users.c.name == user))
            self._log(connection, "user-remove", user)

    def log_logout(self, connection: sa.Connection, user: str) -> None:
        """In the transaction that ends the session."""
        self._log(connection, "logout", user)

    # --- steps -----------------------------------------------------------------------------------

    def _count(
        self,
        connection: sa.Connection,
        row: sa.Row[Any] | None,
        browser: sa.Row[Any] | None,
        now: datetime,
        *,
        counts: bool,
    ) -> None:
        if row is not None and counts:
            failures = (row if browser is None else browser).failures + 1
            locks = failures >= self._limits.login_failures_max
            until = now + timedelta(seconds=self._limits.login_locked_s)
            if locks:
                self._count_at(connection, row, browser, 0, format_instant(until))
                self._events.note("login.locked", "warning", user=row.name, connection=connection)
            else:
                self._count_at(connection, row, browser, failures, None)
        if self._may_log_refusal(now):
            self._log(connection, "login-refused", None if row is None else row.name)

    def _count_at(
        self,
        connection: sa.Connection,
        row: sa.Row[Any],
        browser: sa.Row[Any] | None,
        failures: int,
        locked_until: str | None,
    ) -> None:
        """At the browser, where it is known: the account's count is what strangers have tried."""
        if browser is None:
            self._set(connection, row.name, failures=failures, locked_until=locked_until)
        else:
            set_lock(connection, browser, failures, locked_until)

    def _may_log_refusal(self, now: datetime) -> bool:
        """Whether a refused login gets a leaf of its own. Called with the writer's lock held."""
        self._refused = [each for each in self._refused if abs((now - each).total_seconds()) < _REFUSED_S]
        if len(self._refused) >= _REFUSED_LEAVES_MAX:
            return False
        self._refused.append(now)
        return True

    def _set(self, connection: sa.Connection, name: str, **values: object) -> None:
        table = schema.users
        connection.execute(table.update().where(table.c.name == name).values(**values))

    def _changed(self, connection: sa.Connection, name: str) -> None:
        self._set(connection, name, changed=format_instant(self._clock.now()))
        end_sessions(connection, name)

    def _log(self, connection: sa.Connection, act: str, user: str | None, **more: str) -> None:
        detail = {"act": act, **({} if user is None else {"user": user}), **more}
        self._translog.append(
            connection, Record(type="act", actor="operator", object=PAGES, owner=None, detail=detail)
        )


def end_sessions(connection: sa.Connection, user: str) -> None:
    """All of that user."""
    table = schema.sessions
    connection.execute(table.delete().where(table.c.user == user))


def roles_of(text: str) -> frozenset[Role]:
    """As they are stored; a word of a later release is passed over."""
    words = text.split(",")
    return frozenset(role for role in ROLES if role in words)


def _text(roles: frozenset[Role]) -> str:
    return ",".join(role for role in ROLES if role in roles)


def _key(name: str) -> str:
    """Equal for two names that people would confuse."""
    return unicodedata.normalize("NFKC", name.casefold()).casefold()


def _row(connection: sa.Connection, name: str) -> sa.Row[Any] | None:
    return connection.execute(sa.select(schema.users).where(schema.users.c.name == name)).one_or_none()


def _known(connection: sa.Connection, name: str) -> sa.Row[Any]:
    row = _row(connection, unicodedata.normalize("NFC", name))
    if row is None:
        raise InvalidInput(
            f"there is no user {name}", remedy="see `syncline-hub user list`", reason="NO_SUCH_USER"
        )
    return row


def _is_locked(row: sa.Row[Any], now: datetime) -> bool:
    return row.locked_until is not None and now < parse_instant(row.locked_until)


def _user(row: sa.Row[Any]) -> User:
    return User(
        row.name,
        roles_of(row.roles),
        parse_instant(row.created),
        parse_instant(row.changed),
        row.failures,
        None if row.locked_until is None else parse_instant(row.locked_until),
    )
