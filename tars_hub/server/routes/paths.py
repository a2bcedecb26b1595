"""Parts of an address that are more than one plain word."""

from __future__ import annotations

from starlette.convertors import Convertor, register_url_convertor


class RevisionConvertor(Convertor[str]):
    """One quoted part, or a full ref with its slashes as they are."""

    regex = r"refs/(?:heads|tags|pr|convert)/[^/]+|[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class RestConvertor(Convertor[str]):
    """All that is left, at least one letter of it."""

    regex = r".+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


def register() -> None:
    """Let routes say `{revision:revision}` and `{path:rest}`."""
    register_url_convertor("revision", RevisionConvertor())
    register_url_convertor("rest", RestConvertor())
