"""The browser page: layout only, no model code.

    header    what the model knows and how good it is, as HTML; pure
    answer    the answer card, as HTML; pure
    inputs    the ways to hand over a picture: picture box, drawing pad, examples
    desk      from a visitor's request to the model that is meant, and its answer
    page      lays them out and carries pictures to the desk
    look      theme and style.css
    uploads   the private folder that visitors' pictures lie in while the page runs
    serve     a free port, the server, and its end

Gradio takes seconds to import: `inputs`, `desk`, `page` and `look` import it at once, `serve` when a page is
served, the others never.
"""
