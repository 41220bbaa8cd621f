"""The upload as a state machine: which question to ask, which frame to send, what is settled. Free of I/O.

Rules: a chunk is settled when the hub says that it has it, or has acknowledged the frame that carried it. A
chunk is sent only after the hub said that it is missing. After a broken stream everything sent and not
acknowledged is asked about again, so only what the hub really lost is repeated. Chunks leave in the order
in which they came, whatever the order of the answers. At most `frames_in_flight_max` frames are
unacknowledged.

    transfer = Transfer(limits)
    transfer.offer(id, data)
    question = transfer.next_question()            # -> missing = api.find_missing(question.ids)
    encode_missing(question, missing)              # the slow part; needs no lock
    transfer.answer(question, missing)
    frame = transfer.next_frame()                  # -> send pack_frame(frame.chunks)
    transfer.acknowledge(durable_frames)           # counted from the stream's start
    transfer.stream_broke()                        # what is unacknowledged is asked about again
    transfer.settled                               # everything offered is at the hub

One thread at a time; `sync.upload` drives it with several.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import Corrupt
from core.limits import LIMITS, MIB, Limits
from sync.compression import WORTH, encode
from sync.frames import CHUNK_OVERHEAD_BYTES, FRAME_OVERHEAD_BYTES
from sync.ports import ChunkId, StoredChunk

_QUESTION_BYTES = 8 * MIB  # a question goes out when this much waits for it
_REMEMBERED = 131_072  # ids of the session that are passed over when offered again


class Offered:
    """A chunk under way: its bytes, then, once it is known to be missing, its encoded form instead."""

    __slots__ = ("data", "encoded", "id", "raw_bytes", "sent")

    def __init__(self, chunk: ChunkId, data: bytes) -> None:
        self.id = chunk
        self.raw_bytes = len(data)
        self.data = data
        self.encoded: StoredChunk | None = None
        self.sent = False  # some stream has carried it


class Question:
    """Chunks to ask the hub about, in one call."""

    __slots__ = ("answered", "chunks", "missing")

    def __init__(self, chunks: list[Offered]) -> None:
        self.chunks = chunks
        self.answered = False
        self.missing: list[Offered] = []

    @property
    def ids(self) -> list[ChunkId]:
        """What to ask."""
        return [chunk.id for chunk in self.chunks]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Chunks that go in one frame of `size` bytes."""

    offered: tuple[Offered, ...]
    size: int

    @property
    def chunks(self) -> list[StoredChunk]:
        """What to pack."""
        return [chunk.encoded for chunk in self.offered if chunk.encoded is not None]


@dataclass(slots=True)
class Counts:
    """What a session did. `*_bytes` of sent chunks are stored bytes with overhead; the others are
    uncompressed."""

    chunks: int = 0
    settled_bytes: int = 0
    sent_chunks: int = 0
    sent_bytes: int = 0
    repeated_bytes: int = 0


def encode_missing(question: Question, missing: Sequence[bool], worth: float = WORTH) -> None:
    """Encode the chunks that the hub lacks. Raises `Corrupt` when it answered something else."""
    if len(missing) != len(question.chunks):
        raise Corrupt("the hub answered another question than was asked", reason="MALFORMED_ANSWER")
    for chunk, lacks in zip(question.chunks, missing, strict=True):
        if lacks and chunk.encoded is None:
            chunk.encoded = encode(chunk.id, chunk.data, worth=worth)


class Transfer:
    """One session's state."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self.counts = Counts()
        #: Bytes that are kept for what is not settled; the sum that a caller bounds.
        self.held_bytes = 0
        self._unsettled = 0
        self._flushing = False
        self._waiting: deque[Offered] = deque()
        self._waiting_bytes = 0
        self._asked: deque[Question] = deque()
        self._ready: deque[Offered] = deque()
        self._in_flight: deque[Frame] = deque()
        self._durable_frames = 0  # of the present stream
        self._seen: OrderedDict[ChunkId, None] = OrderedDict()

    @property
    def settled(self) -> bool:
        """Everything that was offered is at the hub, durably."""
        return self._unsettled == 0

    @property
    def question_due(self) -> bool:
        """`next_question` has one."""
        if not self._waiting:
            return False
        if self._flushing or self._waiting[0].sent or self._waiting_bytes >= _QUESTION_BYTES:
            return True
        return len(self._waiting) >= self._limits.find_missing_count_max

    @property
    def window_full(self) -> bool:
        """No frame may be sent before one is acknowledged."""
        return len(self._in_flight) >= self._limits.frames_in_flight_max

    @property
    def all_sent(self) -> bool:
        """Nothing more will be offered, and nothing waits to be asked or sent."""
        return self._flushing and not (self._waiting or self._asked or self._ready)

    def offer(self, chunk: ChunkId, data: bytes | memoryview) -> bool:
        """A chunk to bring to the hub; whether it is new. Copies `data` unless it is bytes."""
        if chunk in self._seen:
            self._seen.move_to_end(chunk)
            return False
        self._seen[chunk] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        offered = Offered(chunk, data if isinstance(data, bytes) else bytes(data))
        self._waiting.append(offered)
        self._waiting_bytes += offered.raw_bytes
        self.held_bytes += offered.raw_bytes
        self._unsettled += 1
        self.counts.chunks += 1
        return True

    def flush(self) -> None:
        """Nothing more will be offered: ask and send even what is little."""
        self._flushing = True

    def next_question(self) -> Question | None:
        """What to ask the hub now; None while too little waits."""
        if not self.question_due:
            return None
        count_max = self._limits.find_missing_count_max
        chunks: list[Offered] = []
        size = 0
        while self._waiting and len(chunks) < count_max and size < _QUESTION_BYTES:
            chunk = self._waiting.popleft()
            chunks.append(chunk)
            size += chunk.raw_bytes
        self._waiting_bytes -= size
        question = Question(chunks)
        self._asked.append(question)
        return question

    def unanswered(self, question: Question) -> None:
        """The question did not get through: it is to be asked again."""
        self._asked.remove(question)
        self._wait_first(question.chunks)

    def answer(self, question: Question, missing: Sequence[bool]) -> None:
        """What the hub said, after `encode_missing`."""
        for chunk, lacks in zip(question.chunks, missing, strict=True):
            if not lacks:
                self._settle(chunk)
            else:
                assert chunk.encoded is not None, "encode_missing comes first"
                if not chunk.sent:
                    self.held_bytes += len(chunk.encoded.data) - chunk.raw_bytes
                chunk.data = b""
                question.missing.append(chunk)
        question.answered = True
        while self._asked and self._asked[0].answered:
            self._ready.extend(self._asked.popleft().missing)

    def next_frame(self) -> Frame | None:
        """The next frame to send. None while there is nothing, no room, or more to fill it is on its way."""
        if not self._ready or self.window_full:
            return None
        size = FRAME_OVERHEAD_BYTES
        count = 0
        for chunk in self._ready:
            more = _frame_bytes(chunk)
            if count and size + more > self._limits.frame_bytes_max:
                break
            size += more
            count += 1
        more_is_coming = bool(self._asked) or (self._flushing and bool(self._waiting))
        if count == len(self._ready) and more_is_coming and self._in_flight:
            return None  # not full, and the hub has something to do meanwhile
        frame = Frame(tuple(self._ready.popleft() for _ in range(count)), size)
        self._in_flight.append(frame)
        self.counts.sent_bytes += size
        for chunk in frame.offered:
            if chunk.sent:
                self.counts.repeated_bytes += _frame_bytes(chunk)
            else:
                self.counts.sent_chunks += 1
            chunk.sent = True
        return frame

    @property
    def in_flight(self) -> int:
        """Frames that were sent and are not acknowledged."""
        return len(self._in_flight)

    def acknowledge(self, durable_frames: int) -> bool:
        """So many frames, counted from the stream's start, are durable; whether that is news.

        Raises `Corrupt` when they were not sent.
        """
        news = durable_frames - self._durable_frames
        if not 0 <= news <= len(self._in_flight):
            raise Corrupt("the hub acknowledged what was not sent", reason="MALFORMED_ANSWER")
        for _ in range(news):
            for chunk in self._in_flight.popleft().offered:
                self._settle(chunk)
        self._durable_frames = durable_frames
        return news > 0

    def stream_broke(self) -> None:
        """The stream has ended: what it carried unacknowledged is asked about again, before anything else."""
        self._wait_first([chunk for frame in self._in_flight for chunk in frame.offered])
        self._in_flight.clear()
        self._durable_frames = 0

    def _wait_first(self, chunks: Sequence[Offered]) -> None:
        self._waiting.extendleft(reversed(chunks))
        self._waiting_bytes += sum(chunk.raw_bytes for chunk in chunks)

    def _settle(self, chunk: Offered) -> None:
        self._unsettled -= 1
        self.counts.settled_bytes += chunk.raw_bytes
        self.held_bytes -= len(chunk.data) if chunk.data or chunk.encoded is None else len(chunk.encoded.data)


def _frame_bytes(chunk: Offered) -> int:
    assert chunk.encoded is not None
    return CHUNK_OVERHEAD_BYTES + len(chunk.encoded.data)
