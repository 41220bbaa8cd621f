"""People at their browsers: some click through every page, others have one open, which is live.

    addresses = pages_of(fleet)
    with Readers(host, cookies, addresses) as readers:
        readers.wait(60)
    readers.found["/map"].seconds

A reader asks for one page after the other and thinks a moment in between. A listener does what static/live.js
does: it holds `/live`, and fetches its page when it is told of a change, as often as that file lets it.
"""

import contextlib
import http.client
import random
import re
import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_THINK_S = 2.0
_TIMEOUT_S = 60.0
_LOOK_S = 0.5
_REVISION = re.compile(rb'data-revision="(\d+)"')


@dataclass
class Asked:
    """What came of asking for one page. `seconds`: to the last byte."""

    seconds: list[float] = field(default_factory=list[float])
    statuses: set[int] = field(default_factory=set[int])
    size: int = 0

    def add(self, seconds: float, status: int, size: int) -> None:
        """One more answer."""
        self.seconds.append(seconds)
        self.statuses.add(status)
        self.size = max(self.size, size)


class Browser:
    """One connection with a session."""

    def __init__(self, host: str, cookie: str) -> None:
        self._host, self._cookie = host, cookie
        self._connection = http.client.HTTPConnection(host, timeout=_TIMEOUT_S)

    def get(self, path: str, *, refresh: bool = False) -> tuple[int, bytes]:
        """Status and body."""
        headers = {"Cookie": self._cookie, **({"Syncline-Live": "refresh"} if refresh else {})}
        try:
            return self._get(path, headers)
        except (http.client.RemoteDisconnected, ConnectionError):  # an idle connection was closed
            self._connection.close()
            return self._get(path, headers)

    def _get(self, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        self._connection.request("GET", path, headers=headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    @contextlib.contextmanager
    def listen(self, known: bytes) -> Generator[http.client.HTTPResponse]:
        """The stream of changes, on a connection of its own."""
        with contextlib.closing(http.client.HTTPConnection(self._host, timeout=_TIMEOUT_S)) as connection:
            connection.request("GET", f"/live?known={known.decode()}", headers={"Cookie": self._cookie})
            with connection.getresponse() as answer:
                yield answer

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


class Readers:
    """Threads until the block ends. `found` by page: what readers met; `refreshed`: what listeners did."""

    def __init__(
        self,
        host: str,
        cookies: Sequence[str],
        pages: dict[str, Sequence[str]],
        *,
        readers: int,
        listeners: int,
    ) -> None:
        self._host, self._cookies, self._pages = host, cookies, pages
        self.found = {name: Asked() for name in pages}
        self.refreshed = {name: Asked() for name in pages}
        self.problems: list[str] = []
        self._counting = False
        self._opening = threading.Lock()
        self._opened = threading.Semaphore(0)
        self._listeners = listeners
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(n,)) for n in range(readers)]
        self._threads += [threading.Thread(target=self._listen, args=(n,)) for n in range(listeners)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def count(self, seconds: float) -> None:
        """Count what comes within so many seconds, and until each page was asked for by both.

        Begins when every listener has its page: they come one after the other, as people do.
        """
        for _ in range(self._listeners):
            self._opened.acquire(timeout=_TIMEOUT_S)
        self._counting = True
        begun = time.monotonic()
        while (passed_s := time.monotonic() - begun) < seconds or self._lacks_some():
            if passed_s > seconds + _TIMEOUT_S or self._stopping.wait(min(1.0, max(0.1, seconds - passed_s))):
                break
        self._counting = False

    def _lacks_some(self) -> bool:
        return any(not each.seconds for each in (*self.found.values(), *self.refreshed.values()))

    def _ask(self, browser: Browser, into: dict[str, Asked], name: str, path: str) -> bytes:
        begun = time.perf_counter()
        status, body = browser.get(path, refresh=into is self.refreshed)
        if self._counting:
            into[name].add(time.perf_counter() - begun, status, len(body))
        if status != 200:
            self.problems.append(f"{path}: {status}")
        return body

    def _read(self, number: int) -> None:
        chance = random.Random(number)
        browser = Browser(self._host, self._cookies[number % len(self._cookies)])
        with self._told(), contextlib.closing(browser):
            while not self._stopping.is_set():
                for name in chance.sample(sorted(self._pages), len(self._pages)):
                    if self._stopping.wait(_THINK_S):
                        return
                    self._ask(browser, self.found, name, chance.choice(self._pages[name]))

    def _listen(self, number: int) -> None:
        names = sorted(self._pages)
        name = names[number % len(names)]
        path = self._pages[name][0]
        browser = Browser(self._host, self._cookies[number % len(self._cookies)])
        news = threading.Event()
        with self._told(), contextlib.closing(browser):
            with self._opening:
                revision = _REVISION.search(self._ask(browser, self.refreshed, name, path))
            self._opened.release()
            known = revision[1] if revision else b""
            told = threading.Thread(target=self._hear, args=(browser, known, news))
            told.start()
            while not self._stopping.is_set():
                if news.wait(_LOOK_S):
                    news.clear()  # what is told meanwhile is fetched once
                    self._ask(browser, self.refreshed, name, path)
            told.join()

    def _hear(self, browser: Browser, known: bytes, news: threading.Event) -> None:
        with self._told():
            while not self._stopping.is_set():
                with browser.listen(known) as stream:
                    for line in stream:  # a heartbeat at the least every ten seconds
                        if self._stopping.is_set():
                            return
                        if line.startswith(b"id: "):
                            known = line[4:].strip()
                            news.set()

    @contextlib.contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a thread's end must be seen
            if not self._stopping.is_set():
                self.problems.append(f"{type(error).__name__}: {error}")
