"""The loop of the running hub: look, judge, write down, tell. A duty in a thread of its own.

* Channels are made at the start: a secret that cannot be read, or a language without a catalogue, stops the
  hub before it serves.
* Never a storm: at most `alert_letters_per_hour_max` messages an hour. What does not fit waits and is told
  together with what comes after it; the last message before, and the first after, say so.
* Without a channel the book is kept all the same: `alerts list` and the metrics show it.

    watch = AlertWatch(hub, overview, settings, open_channels(settings, clock, limits), clock)
    watch.perform()                          # every `EVERY_S`
    watch.stop()
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.clock import Clock, format_instant
from core.limits import Limits
from hub.addresses import split_address
from hub.alerts import pace
from hub.alerts.book import AlertBook
from hub.alerts.channel import Channel
from hub.alerts.email import EmailChannel
from hub.alerts.language import check_language
from hub.alerts.letter import LIST_COMMAND, Letter, Sender, letter_of, trial_letter
from hub.alerts.looking import look
from hub.alerts.outbox import Outbox
from hub.alerts.pace import Telling
from hub.alerts.rules import judge
from hub.alerts.webhook import WebhookChannel
from hub.config import HubSettings
from hub.overview.service import Overview
from hub.services.hub import Hub

EVERY_S = 30.0
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Held:
    """Messages are held back since then; so many alerts passed meanwhile and are not told."""

    since: datetime
    passed: int


class AlertWatch:
    """Performs alerts. One thread; `stop` from any."""

    def __init__(
        self, hub: Hub, overview: Overview, settings: HubSettings, channels: Sequence[Channel], clock: Clock
    ) -> None:
        self._hub = hub
        self._overview = overview
        self._settings = settings.alerts
        self._sender = sender_of(settings)
        self._channels = channels
        self._clock = clock
        self._limits = hub.context.limits
        self._repeat_s = settings.alerts.repeat_hours * 3600
        self._up_since = clock.now()
        self._held: Held | None = None
        self.book = AlertBook(hub.context, self._repeat_s)
        self.outbox = Outbox(hub.context, hub.events)

    def perform(self) -> None:
        """One look."""
        now = self._clock.now().replace(microsecond=0)
        situation = look(self._overview, self._hub, now, self._up_since)
        judgement = judge(situation, self._settings, self._limits)
        passed = self.book.update(judgement, now, self._up_since, self._settings.mute)
        if not self._channels:
            return
        if self._held is not None:
            self._held = Held(self._held.since, self._held.passed + passed)
        for telling in pace.tellings(self.book.alerts(), now, self._repeat_s, self._limits):
            if not self._tell(telling, now):
                break
        self.outbox.deliver(self._channels, now)

    def stop(self) -> None:
        """End what is under way."""
        for channel in self._channels:
            channel.stop()

    def _tell(self, telling: Telling, now: datetime) -> bool:
        made = self.outbox.made_since(now - _HOUR)
        left = self._limits.alert_letters_per_hour_max - len(made)
        if left <= 0:
            self._held = self._held or Held(now, 0)
            return False
        notes: list[str] = []
        if self._held is not None:
            notes.append(_after(self._sender, self._held, self._limits))
        if left == 1:
            notes.append(_last(self._sender, self._limits, (made[0] if made else now) + _HOUR))
        number = self.outbox.next_number()
        letter = letter_of(telling, self._sender, now, number, self._limits, tuple(notes))
        with self._hub.context.database.write(visible=False) as connection:
            self.book.tell(connection, telling, now)
            self.outbox.put(connection, letter, [channel.name for channel in self._channels], now)
        self._held = None
        return True


def open_channels(settings: HubSettings, clock: Clock, limits: Limits) -> list[Channel]:
    """What `[alerts]` names. Raises `InvalidInput` for a secret that cannot be used."""
    found: list[Channel] = []
    if settings.alerts.email is not None:
        host = split_address(settings.hub.address)[0]
        found.append(EmailChannel(settings.alerts.email, host=host, limits=limits))
    if settings.alerts.webhook is not None:
        found.append(WebhookChannel(settings.alerts.webhook, clock=clock, limits=limits))
    return found


def sender_of(settings: HubSettings) -> Sender:
    """Who tells. Raises `InvalidInput` for a language that has no catalogue."""
    language = check_language(settings.alerts.language)
    return Sender(settings.hub.name, settings.hub.federation, settings.web.url, language)


def trial(settings: HubSettings, outbox: Outbox, clock: Clock) -> Letter:
    """The letter of `alerts test`."""
    return trial_letter(sender_of(settings), clock.now().replace(microsecond=0), outbox.next_number())


def _last(sender: Sender, limits: Limits, until: datetime) -> str:
    count = limits.alert_letters_per_hour_max
    return sender.says("last", count=count, until=format_instant(until), command=LIST_COMMAND)


def _after(sender: Sender, held: Held, limits: Limits) -> str:
    since, count = format_instant(held.since), limits.alert_letters_per_hour_max
    said = sender.says("held", since=since, count=count)
    return f"{said} {sender.says('passed', count=f'{held.passed:,}')}" if held.passed else said
