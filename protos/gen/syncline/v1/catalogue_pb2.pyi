from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PolicyExtract(_message.Message):
    __slots__ = ("envelope", "disclosures")
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    DISCLOSURES_FIELD_NUMBER: _ClassVar[int]
    envelope: bytes
    disclosures: bytes
    def __init__(self, envelope: _Optional[bytes] = ..., disclosures: _Optional[bytes] = ...) -> None: ...

class PublishPolicyRequest(_message.Message):
    __slots__ = ("policy", "request_id")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    policy: PolicyExtract
    request_id: str
    def __init__(self, policy: _Optional[_Union[PolicyExtract, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class PublishPolicyResponse(_message.Message):
    __slots__ = ("leaf_index", "accept_time")
    LEAF_INDEX_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_TIME_FIELD_NUMBER: _ClassVar[int]
    leaf_index: int
    accept_time: str
    def __init__(self, leaf_index: _Optional[int] = ..., accept_time: _Optional[str] = ...) -> None: ...

class CommitVersionRequest(_message.Message):
    __slots__ = ("envelope", "root", "request_id")
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    envelope: bytes
    root: bytes
    request_id: str
    def __init__(self, envelope: _Optional[bytes] = ..., root: _Optional[bytes] = ..., request_id: _Optional[str] = ...) -> None: ...

class CommitVersionResponse(_message.Message):
    __slots__ = ("leaf_index", "accept_time", "receipt")
    LEAF_INDEX_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_TIME_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    leaf_index: int
    accept_time: str
    receipt: bytes
    def __init__(self, leaf_index: _Optional[int] = ..., accept_time: _Optional[str] = ..., receipt: _Optional[bytes] = ...) -> None: ...

class ListDatasetsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "if_none_match")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    IF_NONE_MATCH_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    if_none_match: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., if_none_match: _Optional[str] = ...) -> None: ...

class DatasetEntry(_message.Message):
    __slots__ = ("dataset", "manifest_sha256", "manifest_seq", "policy_seq", "may_read", "has_content")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_SEQ_FIELD_NUMBER: _ClassVar[int]
    POLICY_SEQ_FIELD_NUMBER: _ClassVar[int]
    MAY_READ_FIELD_NUMBER: _ClassVar[int]
    HAS_CONTENT_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    manifest_sha256: bytes
    manifest_seq: int
    policy_seq: int
    may_read: bool
    has_content: bool
    def __init__(self, dataset: _Optional[str] = ..., manifest_sha256: _Optional[bytes] = ..., manifest_seq: _Optional[int] = ..., policy_seq: _Optional[int] = ..., may_read: _Optional[bool] = ..., has_content: _Optional[bool] = ...) -> None: ...

class ListDatasetsResponse(_message.Message):
    __slots__ = ("datasets", "next_page_token", "etag", "unchanged")
    DATASETS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    datasets: _containers.RepeatedCompositeFieldContainer[DatasetEntry]
    next_page_token: str
    etag: str
    unchanged: bool
    def __init__(self, datasets: _Optional[_Iterable[_Union[DatasetEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., etag: _Optional[str] = ..., unchanged: _Optional[bool] = ...) -> None: ...

class GetVersionRequest(_message.Message):
    __slots__ = ("dataset", "manifest_sha256")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    manifest_sha256: bytes
    def __init__(self, dataset: _Optional[str] = ..., manifest_sha256: _Optional[bytes] = ...) -> None: ...

class GetVersionResponse(_message.Message):
    __slots__ = ("envelope", "policy", "root")
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    envelope: bytes
    policy: PolicyExtract
    root: bytes
    def __init__(self, envelope: _Optional[bytes] = ..., policy: _Optional[_Union[PolicyExtract, _Mapping]] = ..., root: _Optional[bytes] = ...) -> None: ...

class ListVersionsRequest(_message.Message):
    __slots__ = ("dataset", "from_seq", "page_size")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    FROM_SEQ_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    from_seq: int
    page_size: int
    def __init__(self, dataset: _Optional[str] = ..., from_seq: _Optional[int] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListVersionsResponse(_message.Message):
    __slots__ = ("envelopes", "next_seq")
    ENVELOPES_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQ_FIELD_NUMBER: _ClassVar[int]
    envelopes: _containers.RepeatedScalarFieldContainer[bytes]
    next_seq: int
    def __init__(self, envelopes: _Optional[_Iterable[bytes]] = ..., next_seq: _Optional[int] = ...) -> None: ...

class ListPoliciesRequest(_message.Message):
    __slots__ = ("dataset", "from_seq", "page_size")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    FROM_SEQ_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    from_seq: int
    page_size: int
    def __init__(self, dataset: _Optional[str] = ..., from_seq: _Optional[int] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListPoliciesResponse(_message.Message):
    __slots__ = ("policies", "next_seq")
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQ_FIELD_NUMBER: _ClassVar[int]
    policies: _containers.RepeatedCompositeFieldContainer[PolicyExtract]
    next_seq: int
    def __init__(self, policies: _Optional[_Iterable[_Union[PolicyExtract, _Mapping]]] = ..., next_seq: _Optional[int] = ...) -> None: ...

class ExplainAccessRequest(_message.Message):
    __slots__ = ("dataset", "partner", "action")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PARTNER_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    partner: str
    action: str
    def __init__(self, dataset: _Optional[str] = ..., partner: _Optional[str] = ..., action: _Optional[str] = ...) -> None: ...

class ExplainAccessResponse(_message.Message):
    __slots__ = ("allowed", "rule_uid", "policy_seq", "reason")
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    RULE_UID_FIELD_NUMBER: _ClassVar[int]
    POLICY_SEQ_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    allowed: bool
    rule_uid: str
    policy_seq: int
    reason: str
    def __init__(self, allowed: _Optional[bool] = ..., rule_uid: _Optional[str] = ..., policy_seq: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class AcknowledgeRequest(_message.Message):
    __slots__ = ("envelope",)
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    envelope: bytes
    def __init__(self, envelope: _Optional[bytes] = ...) -> None: ...

class AcknowledgeResponse(_message.Message):
    __slots__ = ("leaf_index",)
    LEAF_INDEX_FIELD_NUMBER: _ClassVar[int]
    leaf_index: int
    def __init__(self, leaf_index: _Optional[int] = ...) -> None: ...
