from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ListRegistryRequest(_message.Message):
    __slots__ = ("from_seq", "page_size")
    FROM_SEQ_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    from_seq: int
    page_size: int
    def __init__(self, from_seq: _Optional[int] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListRegistryResponse(_message.Message):
    __slots__ = ("envelopes", "next_seq")
    ENVELOPES_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQ_FIELD_NUMBER: _ClassVar[int]
    envelopes: _containers.RepeatedScalarFieldContainer[bytes]
    next_seq: int
    def __init__(self, envelopes: _Optional[_Iterable[bytes]] = ..., next_seq: _Optional[int] = ...) -> None: ...

class OfferRegistryRequest(_message.Message):
    __slots__ = ("envelopes",)
    ENVELOPES_FIELD_NUMBER: _ClassVar[int]
    envelopes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, envelopes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class OfferRegistryResponse(_message.Message):
    __slots__ = ("newest_seq",)
    NEWEST_SEQ_FIELD_NUMBER: _ClassVar[int]
    newest_seq: int
    def __init__(self, newest_seq: _Optional[int] = ...) -> None: ...

class RotateKeysRequest(_message.Message):
    __slots__ = ("envelope",)
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    envelope: bytes
    def __init__(self, envelope: _Optional[bytes] = ...) -> None: ...

class RotateKeysResponse(_message.Message):
    __slots__ = ("signed",)
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    signed: bool
    def __init__(self, signed: _Optional[bool] = ...) -> None: ...

class LeaveRequest(_message.Message):
    __slots__ = ("envelope",)
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    envelope: bytes
    def __init__(self, envelope: _Optional[bytes] = ...) -> None: ...

class LeaveResponse(_message.Message):
    __slots__ = ("last",)
    LAST_FIELD_NUMBER: _ClassVar[int]
    last: bool
    def __init__(self, last: _Optional[bool] = ...) -> None: ...
