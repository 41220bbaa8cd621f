from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class GetHubInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetHubInfoResponse(_message.Message):
    __slots__ = ("federation", "version", "time", "registry_seq", "frame_bytes_max", "find_missing_count_max", "read_ranges_count_max", "used_bytes", "quota_bytes")
    FEDERATION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_SEQ_FIELD_NUMBER: _ClassVar[int]
    FRAME_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    FIND_MISSING_COUNT_MAX_FIELD_NUMBER: _ClassVar[int]
    READ_RANGES_COUNT_MAX_FIELD_NUMBER: _ClassVar[int]
    USED_BYTES_FIELD_NUMBER: _ClassVar[int]
    QUOTA_BYTES_FIELD_NUMBER: _ClassVar[int]
    federation: str
    version: str
    time: str
    registry_seq: int
    frame_bytes_max: int
    find_missing_count_max: int
    read_ranges_count_max: int
    used_bytes: int
    quota_bytes: int
    def __init__(self, federation: _Optional[str] = ..., version: _Optional[str] = ..., time: _Optional[str] = ..., registry_seq: _Optional[int] = ..., frame_bytes_max: _Optional[int] = ..., find_missing_count_max: _Optional[int] = ..., read_ranges_count_max: _Optional[int] = ..., used_bytes: _Optional[int] = ..., quota_bytes: _Optional[int] = ...) -> None: ...
