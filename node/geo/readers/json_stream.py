"""The members of a JSON object that is larger than memory: read as a stream, one value or one element at a
time.

    stream = JsonStream(file, value_bytes_max=…)
    for name in stream.members():
        if name == "features":
            for feature in stream.elements(): ...
        else:
            value = stream.value()

Rules: a value is handed over whole, and may not be larger than a bound; what is nested deeper than the parser
goes is refused as malformed (`ValueError`). Every member must be taken by `value` or `elements` before the
next.
"""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

_READ_BYTES = 256 * 1024
#: Behind a number that was cut off; the empty one at the end of what is held.
_GOES_ON = frozenset({"", ".", "e", "E"})
_SPACE = re.compile(r"[ \t\r\n]*")


class JsonStream:
    """See the module."""

    def __init__(self, file: BinaryIO, *, value_bytes_max: int) -> None:
        self._file = file
        self._max = value_bytes_max
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._scan = json.JSONDecoder(parse_constant=_no_constant).raw_decode
        self._text = ""
        self._at = 0
        self._ended = False

    def members(self) -> Iterator[str]:
        """The names in the object that the file is."""
        self._fill()
        self._text = self._text.removeprefix("\ufeff")
        self._expect("{")
        if self._peek() == "}":
            return
        while True:
            name = self.value()
            if not isinstance(name, str):
                raise _malformed()
            self._expect(":")
            yield name
            if self._next(",}") == "}":
                return

    def elements(self) -> Iterator[Any]:
        """The elements of the array that comes now."""
        self._expect("[")
        if self._peek() == "]":
            self._at += 1
            return
        while True:
            yield self.value()
            if self._next(",]") == "]":
                return

    def is_array(self) -> bool:
        """Whether an array comes now."""
        return self._peek() == "["

    def value(self) -> Any:
        """The value that comes now."""
        self._peek()
        while True:
            try:
                value, end = self._scan(self._text, self._at)
            except json.JSONDecodeError:
                if not self._more():
                    raise _malformed() from None
                continue
            except RecursionError:
                raise ValueError("it is nested too deeply") from None
            if self._text[end : end + 1] in _GOES_ON and self._more():
                continue
            self._at = end
            return value

    def _peek(self) -> str:
        while True:
            found = _SPACE.match(self._text, self._at)
            assert found is not None
            self._at = found.end()
            if self._at < len(self._text):
                return self._text[self._at]
            self._fill()
            if self._at >= len(self._text):
                raise _malformed()

    def _next(self, allowed: str) -> str:
        letter = self._peek()
        if letter not in allowed:
            raise _malformed()
        self._at += 1
        return letter

    def _expect(self, letter: str) -> None:
        self._next(letter)

    def _more(self) -> bool:
        """Double what is held of the value that comes now; whether there was more."""
        held = len(self._text) - self._at
        if held > self._max:
            raise ValueError(f"a part of it is larger than {self._max} bytes")
        return self._fill(max(_READ_BYTES, held))

    def _fill(self, count: int = _READ_BYTES) -> bool:
        if self._ended:
            return False
        data = self._file.read(count)
        self._ended = not data
        self._text = self._text[self._at :] + self._decode(data, final=self._ended)
        self._at = 0
        return bool(data)


def _malformed() -> ValueError:
    return ValueError("it is not sound JSON")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
