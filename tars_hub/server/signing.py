"""Signed texts: links and short-lived tokens that the hub hands out and believes when they come back."""

from __future__ import annotations

import secrets
from typing import Any

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from tars_hub.server.errors import ForbiddenError


class Signer:
    """Signs small JSON values for one purpose each; what was signed for one purpose is worth nothing for another."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, purpose: str, value: Any) -> str:  # noqa: ANN401  # any JSON
        return self._serializer(purpose).dumps(value)

    def read(self, purpose: str, text: str, *, max_age_s: int) -> Any:  # noqa: ANN401
        """The value that was signed.

        Raises:
            ForbiddenError: signed by nobody, for something else, or too long ago.
        """
        try:
            return self._serializer(purpose).loads(text, max_age=max_age_s)
        except SignatureExpired:
            raise ForbiddenError("this link has expired; ask for a new one") from None
        except BadSignature:
            raise ForbiddenError("this link is not one of this hub's") from None

    def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._secret, salt=f"tars-hub {purpose}")


def random_name() -> str:
    """64 hex digits that nobody can guess."""
    return secrets.token_hex(32)
