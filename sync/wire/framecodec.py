"""The one message that carries bytes in bulk, coded by hand: `message { bytes frame = 1; }`.

Rules: what is written is byte for byte what the generated code writes; what is read is what the generated
code reads: the plain form (tag 0x0A, length, frame, nothing else) as a view without a copy, any other
encoding through the generated parser. Generated messages around bulk bytes cost as much as TLS (measured);
this costs one copy up and none down.

    channel.stream_stream("/syncline.v1.ContentService/UpdateBlobs", request_serializer=encode, …)
    channel.unary_stream("/syncline.v1.ContentService/ReadBlobs", response_deserializer=decode, …)
"""

from google.protobuf.message import DecodeError
from syncline.v1 import content_pb2

from core.errors import Corrupt

_TAG = 0x0A  # field 1, length-delimited


def encode(frame: bytes | bytearray | memoryview) -> bytes:
    """The message with this frame (`UpdateBlobsRequest` or `ReadBlobsResponse`)."""
    length = len(frame)
    if length == 0:
        return b""  # proto3 leaves out what is empty
    header = bytearray((_TAG,))
    while length > 0x7F:
        header.append(length & 0x7F | 0x80)
        length >>= 7
    header.append(length)
    return b"".join((header, frame))


def decode(message: bytes) -> memoryview:
    """The frame in this message, a view into it. Raises `Corrupt` when it is not such a message."""
    end = len(message)
    if end >= 2 and message[0] == _TAG:
        length = shift = 0
        for position in range(1, min(end, 6)):
            byte = message[position]
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                if position + 1 + length == end:
                    return memoryview(message)[position + 1 :]
                break
            shift += 7
    try:
        return memoryview(content_pb2.UpdateBlobsRequest.FromString(message).frame)
    except DecodeError as error:
        raise Corrupt("received a message that is not a frame", reason="MALFORMED_FRAME") from error
