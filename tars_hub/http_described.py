"""What OpenAPI tells of answers over HTTP. Plain data; the hub shows it without knowing what it is about."""

from __future__ import annotations

from typing import Any

from tars_hub.bodies import MAX_BYTES
from tars_hub.predict import DEFAULT_TOP_K

PATH = "/api/models/{namespace}/{name}/predict"
MOST_CLASSES = 100

_CLASS = {
    "type": "object",
    "properties": {"label": {"type": "string"}, "score": {"type": ["number", "null"], "description": "0 to 1"}},
    "required": ["label", "score"],
}
_TOP = {"type": "array", "items": _CLASS, "description": "the likeliest classes, best first"}
_ANSWER = {
    "type": "object",
    "properties": {
        "label": {"type": "string", "description": "the likeliest class"},
        "probability": {"type": ["number", "null"], "description": "its probability, 0 to 1"},
        "declined": {"type": "boolean", "description": "it is too unlikely to answer; the class is only the nearest"},
        "top": _TOP,
        "model": {"type": "string", "description": "the model's full name"},
        "commit": {"type": "string", "description": "the commit that answered, 40 hex digits"},
    },
    "required": ["label", "probability", "declined", "top", "model", "commit"],
}
_REFUSALS = {
    400: "top_k or format is none",
    401: "The token is not valid",
    403: "A page of another site asks for this",
    404: "There is no such model or revision, you may not download it, or it cannot be loaded",
    405: "Only POST is answered",
    408: "The picture came too slowly",
    411: "It does not say how long it is",
    413: f"It is larger than {MAX_BYTES >> 20} MiB",
    415: "It is a form or JSON, not a picture's bytes",
    422: "It is no picture that can be read",
    503: "Too much is being done just now; Retry-After says when to ask again",
}
_JSON = "application/json"
OPERATIONS: dict[str, Any] = {
    "post": {
        "tags": ["predict"],
        "summary": "Say what is on a picture",
        "description": "The picture's bytes are the body, as curl --data-binary sends them. Whoever may download "
        "the model may ask it. Questions that come at the same time are answered together.",
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "description": said}
                for name, said in {"namespace": "a user or an organisation", "name": "the model's name"}.items()
            ),
            {
                "name": "revision",
                "in": "query",
                "schema": {"type": "string", "default": "main"},
                "description": "a branch, a tag or a commit's id",
            },
            {
                "name": "top_k",
                "in": "query",
                "schema": {"type": "integer", "minimum": 1, "maximum": MOST_CLASSES, "default": DEFAULT_TOP_K},
                "description": f"how many classes are named, up to {MOST_CLASSES}",
            },
            {
                "name": "format",
                "in": "query",
                "schema": {"enum": ["object", "list"], "default": "object"},
                "description": "list gives the classes alone, as inference clients expect them",
            },
        ],
        "security": [{}, {"token": []}],
        "requestBody": {"required": True, "content": {"image/*": {}, "application/octet-stream": {}}},
        "responses": {
            "200": {
                "description": "The answer",
                "content": {_JSON: {"schema": {"anyOf": [_ANSWER, _TOP]}}},
            },
            **{
                str(status): {
                    "description": said,
                    "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
                }
                for status, said in _REFUSALS.items()
            },
        },
    }
}
