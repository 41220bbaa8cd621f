from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EnrolmentState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENROLMENT_STATE_UNSPECIFIED: _ClassVar[EnrolmentState]
    ENROLMENT_STATE_PENDING: _ClassVar[EnrolmentState]
    ENROLMENT_STATE_APPROVED: _ClassVar[EnrolmentState]
    ENROLMENT_STATE_REJECTED: _ClassVar[EnrolmentState]
ENROLMENT_STATE_UNSPECIFIED: EnrolmentState
ENROLMENT_STATE_PENDING: EnrolmentState
ENROLMENT_STATE_APPROVED: EnrolmentState
ENROLMENT_STATE_REJECTED: EnrolmentState

class JoinRequest(_message.Message):
    __slots__ = ("envelope", "token", "csr_der")
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    CSR_DER_FIELD_NUMBER: _ClassVar[int]
    envelope: bytes
    token: bytes
    csr_der: bytes
    def __init__(self, envelope: _Optional[bytes] = ..., token: _Optional[bytes] = ..., csr_der: _Optional[bytes] = ...) -> None: ...

class JoinResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: EnrolmentState
    def __init__(self, state: _Optional[_Union[EnrolmentState, str]] = ...) -> None: ...

class GetEnrolmentRequest(_message.Message):
    __slots__ = ("join_sha256", "token")
    JOIN_SHA256_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    join_sha256: bytes
    token: bytes
    def __init__(self, join_sha256: _Optional[bytes] = ..., token: _Optional[bytes] = ...) -> None: ...

class GetEnrolmentResponse(_message.Message):
    __slots__ = ("state", "certificate_pem")
    STATE_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_PEM_FIELD_NUMBER: _ClassVar[int]
    state: EnrolmentState
    certificate_pem: bytes
    def __init__(self, state: _Optional[_Union[EnrolmentState, str]] = ..., certificate_pem: _Optional[bytes] = ...) -> None: ...

class RenewRequest(_message.Message):
    __slots__ = ("envelope", "csr_der")
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    CSR_DER_FIELD_NUMBER: _ClassVar[int]
    envelope: bytes
    csr_der: bytes
    def __init__(self, envelope: _Optional[bytes] = ..., csr_der: _Optional[bytes] = ...) -> None: ...

class RenewResponse(_message.Message):
    __slots__ = ("certificate_pem",)
    CERTIFICATE_PEM_FIELD_NUMBER: _ClassVar[int]
    certificate_pem: bytes
    def __init__(self, certificate_pem: _Optional[bytes] = ...) -> None: ...
