"""What callers hand to the page's handlers: looked at before Gradio does anything with it, and not kept after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from tars_hub.ui.inputs import DrawingPad, PictureBox

_LONGEST = 1000  # letters of a text that no picture is in


class Page(gr.Blocks):
    """Gradio's page with handlers that anybody may call, as anybody may."""

    async def preprocess_data(
        self,
        block_fn: Any,  # noqa: ANN401  # Gradio's signature
        inputs: list[Any],
        state: Any,  # noqa: ANN401
        explicit_call: bool = False,
    ) -> list[Any]:
        """As Gradio's, for what a page would send.

        Gradio takes any input for a file that says it is one: where it names an address that is fetched, by this
        machine. And it keeps all that came, for each of the last thousands of visitors.
        """
        _check(block_fn.inputs, inputs)
        if state is not None:
            state.config_values = _Nothing()
        return await super().preprocess_data(block_fn, inputs, state, explicit_call)  # type: ignore[no-any-return]


class _Nothing(dict[Any, Any]):
    """Has all there is asked for, which is nothing, and keeps nothing."""

    def __contains__(self, _: object) -> bool:
        return True

    def __missing__(self, _: object) -> dict[str, Any]:
        return {}

    def __setitem__(self, _: object, __: object) -> None:
        pass


def _check(components: Sequence[Any], values: Sequence[Any]) -> None:
    for component, value in zip(components, values, strict=False):  # Gradio says where one is missing
        if not isinstance(component, PictureBox) and not _is_plain(value, isinstance(component, DrawingPad)):
            raise gr.Error("That is nothing this page would ask.", print_exception=False)


def _is_plain(value: object, is_drawing: bool) -> bool:
    if isinstance(value, str):
        return is_drawing or len(value) <= _LONGEST
    return value is None or isinstance(value, bool | int | float)
