"""`resumes` and `durable_ack` of the upload's state machine, under any order of answers, acks and breaks."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from core.limits import Limits
from sync.chunking import chunk_id
from sync.frames import pack_frame, unpack
from sync.ports import ChunkId
from sync.transfer import Frame, Question, Transfer, encode_missing

SMALL = Limits(
    chunk_bytes_min=64,
    chunk_bytes_avg=256,
    chunk_bytes_max=1024,
    frame_bytes_max=4096,
    frames_in_flight_max=3,
    find_missing_count_max=5,
)


class World:
    """A hub that takes frames one by one, and makes them durable when it likes."""

    def __init__(self, seed: int, has: set[ChunkId]) -> None:
        self.random = Random(seed)
        self.transfer = Transfer(SMALL)
        self.durable = set(has)
        self.repeats_allowed = 0
        self.questions: list[Question] = []
        self.stream: list[Frame] = []  # sent, not yet taken by the hub
        self.taken: list[list[ChunkId]] = []  # taken, not durable
        self.durable_frames = 0

    def step(self, breaks: int) -> None:
        act = self.random.choices(
            ["ask", "answer", "send", "take", "commit", "break"], [3, 4, 4, 4, 2, breaks]
        )[0]
        getattr(self, act + "_")()
        assert self.transfer.in_flight <= SMALL.frames_in_flight_max
        assert self.transfer.held_bytes >= 0

    def ask_(self) -> None:
        question = self.transfer.next_question()
        if question is not None:
            assert 0 < len(question.ids) <= SMALL.find_missing_count_max
            self.questions.append(question)

    def answer_(self) -> None:
        if not self.questions:
            return
        question = self.questions.pop(self.random.randrange(len(self.questions)))
        if self.random.random() < 0.2:
            self.transfer.unanswered(question)
            return
        missing = [id_ not in self.durable for id_ in question.ids]
        encode_missing(question, missing)
        self.transfer.answer(question, missing)

    def send_(self) -> None:
        frame = self.transfer.next_frame()
        if frame is not None:
            assert len(pack_frame(frame.chunks, SMALL)) == frame.size
            self.stream.append(frame)

    def take_(self) -> None:
        if self.stream:
            frame = self.stream.pop(0)
            self.taken.append([c.id for c in unpack(pack_frame(frame.chunks, SMALL), SMALL)])

    def commit_(self) -> None:
        if self.taken:
            self.durable_frames += len(self.taken)
            for ids in self.taken:
                assert not self.durable.intersection(ids), "sent although the hub had it"
                self.durable.update(ids)
            self.taken.clear()
            self.transfer.acknowledge(self.durable_frames)

    def break_(self) -> None:
        # The hub keeps what it took; the acknowledgement may be lost, and so is what was on the way.
        if self.random.random() < 0.5:
            for ids in self.taken:
                self.durable.update(ids)
        else:
            self.repeats_allowed += len(self.taken)
        self.repeats_allowed += len(self.stream)
        self.taken.clear()
        self.stream.clear()
        self.durable_frames = 0
        self.transfer.stream_broke()


@settings(max_examples=settings.default.max_examples * 2)
@given(
    seed=st.integers(0, 1 << 40), count=st.integers(0, 60), known=st.floats(0, 1), breaks=st.integers(0, 2)
)
def test_everything_becomes_durable_and_only_what_was_lost_is_repeated(
    seed: int, count: int, known: float, breaks: int
):
    random = Random(seed)
    datas = [random.randbytes(random.randint(1, 1024)) for _ in range(count)]
    ids = [chunk_id(data) for data in datas]
    world = World(seed, {id_ for id_ in ids if random.random() < known})
    offers = list(zip(ids, datas, strict=True))
    offers += offers[:1]  # one is offered twice
    for id_, data in offers:
        world.transfer.offer(id_, data)
        world.step(breaks)
    world.transfer.flush()
    for _ in range(200):
        world.step(breaks)
        if world.transfer.settled:  # the promise holds at the very moment at which it is given
            assert world.durable.issuperset(ids)
    for _ in range(5000):
        if world.transfer.settled:
            break
        world.step(0)
    assert world.transfer.settled
    assert world.durable.issuperset(ids)
    assert world.transfer.held_bytes == 0
    counts = world.transfer.counts
    assert counts.settled_bytes == sum(len(data) for data in dict(offers).values())
    assert counts.repeated_bytes <= world.repeats_allowed * SMALL.frame_bytes_max
