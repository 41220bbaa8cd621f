from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LeafKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LEAF_KIND_UNSPECIFIED: _ClassVar[LeafKind]
    LEAF_KIND_VERSION: _ClassVar[LeafKind]
    LEAF_KIND_POLICY: _ClassVar[LeafKind]
    LEAF_KIND_DELIVERY: _ClassVar[LeafKind]
    LEAF_KIND_REGISTRY: _ClassVar[LeafKind]
LEAF_KIND_UNSPECIFIED: LeafKind
LEAF_KIND_VERSION: LeafKind
LEAF_KIND_POLICY: LeafKind
LEAF_KIND_DELIVERY: LeafKind
LEAF_KIND_REGISTRY: LeafKind

class GetCheckpointRequest(_message.Message):
    __slots__ = ("min_size",)
    MIN_SIZE_FIELD_NUMBER: _ClassVar[int]
    min_size: int
    def __init__(self, min_size: _Optional[int] = ...) -> None: ...

class GetCheckpointResponse(_message.Message):
    __slots__ = ("checkpoint", "cosigned")
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    COSIGNED_FIELD_NUMBER: _ClassVar[int]
    checkpoint: bytes
    cosigned: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, checkpoint: _Optional[bytes] = ..., cosigned: _Optional[_Iterable[bytes]] = ...) -> None: ...

class GetConsistencyProofRequest(_message.Message):
    __slots__ = ("first_size", "second_size")
    FIRST_SIZE_FIELD_NUMBER: _ClassVar[int]
    SECOND_SIZE_FIELD_NUMBER: _ClassVar[int]
    first_size: int
    second_size: int
    def __init__(self, first_size: _Optional[int] = ..., second_size: _Optional[int] = ...) -> None: ...

class GetConsistencyProofResponse(_message.Message):
    __slots__ = ("hashes",)
    HASHES_FIELD_NUMBER: _ClassVar[int]
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class GetInclusionProofRequest(_message.Message):
    __slots__ = ("indices", "tree_size")
    INDICES_FIELD_NUMBER: _ClassVar[int]
    TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    indices: _containers.RepeatedScalarFieldContainer[int]
    tree_size: int
    def __init__(self, indices: _Optional[_Iterable[int]] = ..., tree_size: _Optional[int] = ...) -> None: ...

class InclusionProof(_message.Message):
    __slots__ = ("hashes",)
    HASHES_FIELD_NUMBER: _ClassVar[int]
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class GetInclusionProofResponse(_message.Message):
    __slots__ = ("proofs",)
    PROOFS_FIELD_NUMBER: _ClassVar[int]
    proofs: _containers.RepeatedCompositeFieldContainer[InclusionProof]
    def __init__(self, proofs: _Optional[_Iterable[_Union[InclusionProof, _Mapping]]] = ...) -> None: ...

class GetEntriesRequest(_message.Message):
    __slots__ = ("first_index", "count")
    FIRST_INDEX_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    first_index: int
    count: int
    def __init__(self, first_index: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class GetEntriesResponse(_message.Message):
    __slots__ = ("digests", "opened")
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    digests: bytes
    opened: _containers.RepeatedCompositeFieldContainer[OpenedEntry]
    def __init__(self, digests: _Optional[bytes] = ..., opened: _Optional[_Iterable[_Union[OpenedEntry, _Mapping]]] = ...) -> None: ...

class OpenedEntry(_message.Message):
    __slots__ = ("index", "record", "nonce", "lane_n", "lane_prev", "lane_salt", "statement")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    LANE_N_FIELD_NUMBER: _ClassVar[int]
    LANE_PREV_FIELD_NUMBER: _ClassVar[int]
    LANE_SALT_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    index: int
    record: bytes
    nonce: bytes
    lane_n: int
    lane_prev: bytes
    lane_salt: bytes
    statement: bytes
    def __init__(self, index: _Optional[int] = ..., record: _Optional[bytes] = ..., nonce: _Optional[bytes] = ..., lane_n: _Optional[int] = ..., lane_prev: _Optional[bytes] = ..., lane_salt: _Optional[bytes] = ..., statement: _Optional[bytes] = ...) -> None: ...

class GetEvidenceRequest(_message.Message):
    __slots__ = ("dataset", "manifest_sha256")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    manifest_sha256: bytes
    def __init__(self, dataset: _Optional[str] = ..., manifest_sha256: _Optional[bytes] = ...) -> None: ...

class ProvenLeaf(_message.Message):
    __slots__ = ("kind", "index", "record", "nonce", "registry_seq", "hashes")
    KIND_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    REGISTRY_SEQ_FIELD_NUMBER: _ClassVar[int]
    HASHES_FIELD_NUMBER: _ClassVar[int]
    kind: LeafKind
    index: int
    record: bytes
    nonce: bytes
    registry_seq: int
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, kind: _Optional[_Union[LeafKind, str]] = ..., index: _Optional[int] = ..., record: _Optional[bytes] = ..., nonce: _Optional[bytes] = ..., registry_seq: _Optional[int] = ..., hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class GetEvidenceResponse(_message.Message):
    __slots__ = ("checkpoint", "leaves")
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    checkpoint: bytes
    leaves: _containers.RepeatedCompositeFieldContainer[ProvenLeaf]
    def __init__(self, checkpoint: _Optional[bytes] = ..., leaves: _Optional[_Iterable[_Union[ProvenLeaf, _Mapping]]] = ...) -> None: ...

class AddCosignatureRequest(_message.Message):
    __slots__ = ("note",)
    NOTE_FIELD_NUMBER: _ClassVar[int]
    note: bytes
    def __init__(self, note: _Optional[bytes] = ...) -> None: ...

class AddCosignatureResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
