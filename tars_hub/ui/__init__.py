"""The browser page: layout only, no model code.

The page, from its frame to its parts; a part's script and style lie beside it under its name:

    page          head and tabs
    arrival       how the page turns to a model of the hub
    picker        the list of models to turn to
    header        what the model knows and how good it is, as HTML; pure
    one_picture   tab: ways to hand over a picture, its answer, and where the model looked
    live          tab: the camera
    many          tab: a table of answers
    from_code     tab: lines to copy
    inputs        picture box, drawing pad, examples
    answer        the answer card, as HTML; pure
    looked        the panel of where the model looked, as HTML; pure
    look          theme, style sheets, scripts, and Gradio's settings

From a question to its answer:

    desk          from a visitor's request to the model that is meant, and its answer
    explaining    the same for where the model looked
    endpoint      /classify as Gradio has endpoints
    handed        what callers hand to Gradio's handlers
    plain         /classify, /card, /row and /models in plain HTTP
    mcp           /mcp, for language models

Around all of it:

    intake        what visitors send to Gradio's own routes, read within limits
    mount         the page as an app: which routes are open, and to whom
    serve         Gradio's environment, the server, and its end

Gradio takes seconds to import: `header`, `answer`, `looked`, `intake`, `mount` and `serve` leave
that to whoever shows a page.
"""
