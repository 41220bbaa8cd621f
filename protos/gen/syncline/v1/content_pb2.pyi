from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecipeStream(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECIPE_STREAM_UNSPECIFIED: _ClassVar[RecipeStream]
    RECIPE_STREAM_INVENTORY: _ClassVar[RecipeStream]
    RECIPE_STREAM_LAYOUT: _ClassVar[RecipeStream]
    RECIPE_STREAM_TABLE: _ClassVar[RecipeStream]
    RECIPE_STREAM_CONTENT: _ClassVar[RecipeStream]
RECIPE_STREAM_UNSPECIFIED: RecipeStream
RECIPE_STREAM_INVENTORY: RecipeStream
RECIPE_STREAM_LAYOUT: RecipeStream
RECIPE_STREAM_TABLE: RecipeStream
RECIPE_STREAM_CONTENT: RecipeStream

class FindMissingBlobsRequest(_message.Message):
    __slots__ = ("chunk_ids",)
    CHUNK_IDS_FIELD_NUMBER: _ClassVar[int]
    chunk_ids: bytes
    def __init__(self, chunk_ids: _Optional[bytes] = ...) -> None: ...

class FindMissingBlobsResponse(_message.Message):
    __slots__ = ("missing_bits",)
    MISSING_BITS_FIELD_NUMBER: _ClassVar[int]
    missing_bits: bytes
    def __init__(self, missing_bits: _Optional[bytes] = ...) -> None: ...

class UpdateBlobsRequest(_message.Message):
    __slots__ = ("frame",)
    FRAME_FIELD_NUMBER: _ClassVar[int]
    frame: bytes
    def __init__(self, frame: _Optional[bytes] = ...) -> None: ...

class UpdateBlobsResponse(_message.Message):
    __slots__ = ("durable_frames_count",)
    DURABLE_FRAMES_COUNT_FIELD_NUMBER: _ClassVar[int]
    durable_frames_count: int
    def __init__(self, durable_frames_count: _Optional[int] = ...) -> None: ...

class ReadBlobsRequest(_message.Message):
    __slots__ = ("dataset", "manifest_sha256", "stream", "ranges")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    manifest_sha256: bytes
    stream: RecipeStream
    ranges: _containers.RepeatedCompositeFieldContainer[OrdinalRange]
    def __init__(self, dataset: _Optional[str] = ..., manifest_sha256: _Optional[bytes] = ..., stream: _Optional[_Union[RecipeStream, str]] = ..., ranges: _Optional[_Iterable[_Union[OrdinalRange, _Mapping]]] = ...) -> None: ...

class OrdinalRange(_message.Message):
    __slots__ = ("first", "count")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    first: int
    count: int
    def __init__(self, first: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class ReadBlobsResponse(_message.Message):
    __slots__ = ("frame",)
    FRAME_FIELD_NUMBER: _ClassVar[int]
    frame: bytes
    def __init__(self, frame: _Optional[bytes] = ...) -> None: ...
