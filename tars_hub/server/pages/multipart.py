"""A multipart form read as it comes: fields are kept, files are handed on piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from tars_hub.server.errors import HubError, TooLargeError
from tars_hub.server.pages.forms import Form

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_TYPE = b"multipart/form-data"
_MOST_FIELDS = 20
_FIELD_BYTES = 64 << 10


class FileTaker(Protocol):
    """Where the files of a form go, one after the other."""

    def begin(self, form: Form, name: str) -> None:
        """A file of this name; `form` has the fields that came before it."""
        ...

    def take(self, data: bytes) -> None:
        """Its next bytes."""
        ...

    def end(self) -> None: ...


class Parts:
    """A multipart form on its way in; `write` takes the next bytes of the body."""

    def __init__(self, content_type: str, files: FileTaker) -> None:
        """Raises HubError for a body of another kind."""
        kind, options = parse_options_header(content_type)
        if kind != _TYPE or not options.get(b"boundary"):
            raise HubError("files come as multipart/form-data")
        self._files = files
        self._fields: dict[str, list[str]] = {}
        self._header, self._value = b"", b""
        self._disposition = b""
        self._name, self._text = "", bytearray()
        self._in_file = self._is_over = False
        try:
            self._parser = MultipartParser(options[b"boundary"], self._callbacks())
        except FormParserError:
            raise _unreadable() from None

    def _callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._part_begins,
            "on_header_field": self._header_comes,
            "on_header_value": self._value_comes,
            "on_header_end": self._header_ends,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data_comes,
            "on_part_end": self._part_ends,
            "on_end": self._all_ends,
        }

    @property
    def form(self) -> Form:
        """The fields that have come so far."""
        return Form({name: tuple(values) for name, values in self._fields.items()})

    def write(self, data: bytes) -> None:
        """Read on. Raises HubError for what is no such form, and whatever the taker of files raises."""
        try:
            self._parser.write(data)
        except FormParserError:
            raise _unreadable() from None

    def finish(self) -> None:
        """Raises HubError where the end has not come."""
        if not self._is_over:
            raise HubError("the form broke off before its end; send it again")

    def _part_begins(self) -> None:
        self._disposition, self._in_file = b"", False
        self._text = bytearray()

    def _header_comes(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _value_comes(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = _text(options.get(b"name", b""))
        if b"filename" in options:
            self._in_file = True
            self._files.begin(self.form, _text(options[b"filename"]).replace("%22", '"'))  # as browsers quote it

    def _data_comes(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._files.take(data[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > _FIELD_BYTES:
            raise TooLargeError(f"the field {self._name[:40]!r} may have {_FIELD_BYTES:,} bytes")

    def _part_ends(self) -> None:
        if self._in_file:
            self._files.end()
            return
        self._fields.setdefault(self._name, []).append(_text(bytes(self._text)))
        if sum(map(len, self._fields.values())) > _MOST_FIELDS:
            raise HubError(f"this form may have {_MOST_FIELDS} fields")

    def _all_ends(self) -> None:
        self._is_over = True


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise HubError("a form's names and texts come in UTF-8") from None


def _unreadable() -> HubError:
    return HubError("this form cannot be read; a browser would have written it otherwise")
