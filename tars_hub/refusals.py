"""What an error of the hub's client, or of its HTTP library, says to a person."""

from __future__ import annotations


def status_of(error: BaseException) -> int:
    """The HTTP status behind the error; 0 where no answer came."""
    return int(getattr(getattr(error, "response", None), "status_code", 0))


def reason_of(error: BaseException) -> str:
    """One printable line, at most 200 characters."""
    text = getattr(error, "server_message", None) or str(error) or type(error).__name__
    text = text.partition("For more information check:")[0]  # an address that explains the status code
    return "".join(char for char in " ".join(text.split()) if char.isprintable())[:200]
