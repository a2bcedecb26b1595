"""Strangers' Markdown: what stays, where its addresses lead, and that none of it runs or takes long."""

from __future__ import annotations

import re
import time
from html import unescape

import pytest

from tars_hub.server.pages.markdown import SHOWN_BYTES, Place, render

OID = "0123456789abcdef0123456789abcdef01234567"
PLACE = Place("ann/digits", "feature/x", OID)
FILES, BLOB = f"/ann/digits/resolve/{OID}", "/ann/digits/blob/feature%2Fx"

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<math><mtext></mtext><mglyph><style><!--</style><img title='--><img src=x onerror=alert(1)>'></math>",
    "<style>* { display: none }</style>",
    '<div style="position: fixed; inset: 0">over all</div>',
    '<iframe src="https://evil.test"></iframe>',
    '<object data="x"></object><embed src="x"><base href="https://evil.test/">',
    '<meta http-equiv="refresh" content="0;url=https://evil.test">',
    '<link rel="stylesheet" href="https://evil.test/x.css">',
    '<form action="https://evil.test"><input name="password"><button>Log in</button></form>',
    "[x](javascript:alert(1))",
    '<a href="javascript:alert(1)">x</a>',
    '<a href=" java\tscript:alert(1)">x</a>',
    '<a href="data:text/html,<script>alert(1)</script>">x</a>',
    "![x](javascript:alert(1))",
    '![x](data:image/svg+xml;base64,PHN2Zz48L3N2Zz4= "t")',
    '<img src="//evil.test/x.png"><img src="/\\evil.test/x.png"><img src="\\\\evil.test\\x.png">',
    '<img src="https:evil.test/x.png"><img src=" https://evil.test/y.png"><img src="\thttps://evil.test/z.png">',
    '<img srcset="https://evil.test/x.png 2x" src="a.png">',
    '<picture><source srcset="https://evil.test/x.png"><img src="a.png"></picture>',
    '<video src="https://evil.test/x.mp4" autoplay></video><audio src="https://evil.test/x.mp3"></audio>',
    '<body background="https://evil.test/x.png"><table background="https://evil.test/x.png">',
    '<a href="x" title="<img src=https://evil.test/x.png>">x</a>',
    '<img alt="<img src=https://evil.test/x.png>" src="https://evil.test/y.png">',
    '<img alt="&quot;><script>alert(1)</script>" src="https://evil.test/y.png">',
    '<img src="https://evil.test/&quot; onerror=&quot;alert(1)">',
    '<b id="main" class="bar" onclick="alert(1)">x</b>',
    "<!-- <img src=x onerror=alert(1)> --><![CDATA[<script>alert(1)</script>]]><?php echo 1 ?>",
    "```\n</code></pre><script>alert(1)</script>\n```",
    '# <img src=x onerror=alert(1)>\n\n| <script>alert(1)</script> |\n| - |\n| <b onclick="alert(1)"> |',
    "</article></main></body></html><script>alert(1)</script>",
    "<textarea><title><xmp><noscript><plaintext><script>alert(1)</script>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_none_of_it_runs_or_loads(text: str) -> None:
    html = render(text, PLACE)
    for name, attributes in re.findall(r'<([a-z0-9]+)((?: [a-z-]+="[^"]*")*)>', html):
        assert name in "a b br code details div em h1 hr img li ol p pre picture table tbody td th thead tr ul".split()
        found = dict(re.findall(r' ([a-z-]+)="([^"]*)"', attributes))
        assert set(found) <= {"id", "title", "alt", "src", "href", "rel", "loading", "align", "open"}, attributes
        assert found.get("src", FILES).startswith(f"{FILES}") or name != "img"
        assert re.match(r"https?:|mailto:|/(?!/)|#", found.get("href", "#"))
        assert found.get("id", "card-").startswith("card-")
    rest = re.sub(r'</?[a-z0-9]+(?: [a-z-]+="[^"]*")*>', "", html)
    assert "<" not in rest, rest


def test_markdown() -> None:
    html = render("# A *b*\n\n# A b\n\n~~gone~~ <https://a.test/x> **bold**\n\n| l | r |\n|:-|-:|\n| 1 | 2 |\n", PLACE)
    assert '<h1 id="card-a-b">A <em>b</em></h1>' in html
    assert '<h1 id="card-a-b-1">' in html
    assert "<s>gone</s>" in html
    assert 'href="https://a.test/x" rel="noopener noreferrer nofollow"' in html
    assert '<td align="right">2</td>' in html
    assert "style" not in html


def test_html_that_is_meant_stays() -> None:
    html = render(
        '<details open><summary>More</summary>\n\n*text*\n\n</details>\n\n<p align="center">x<sup>2</sup></p>', PLACE
    )
    assert "<summary>More</summary>" in html
    assert "<em>text</em>" in html
    assert '<p align="center">x<sup>2</sup></p>' in html
    assert 'width="300"' in render('<img src="a.png" width="300" height="expression(1)">', PLACE)
    assert "expression" not in render('<img src="a.png" width="300" height="expression(1)">', PLACE)


@pytest.mark.parametrize(
    ("address", "leads"),
    [
        ("training/curves.png", "/training/curves.png"),
        ("./a.png", "/a.png"),
        ("a%20b.png", "/a%20b.png"),
        ("a%23b.png", "/a%23b.png"),
        ("a.png?raw=true#x", "/a.png"),
        ("../../../bob/secret/resolve/main/a.png", "/bob/secret/resolve/main/a.png"),
        ("%2e%2e/%2e%2e/a.png", "/a.png"),
        ("x/..%2f..%2f..%2f..%2fbob/a.png", "/bob/a.png"),
    ],
)
def test_relative_addresses_stay_within_the_revision(address: str, leads: str) -> None:
    assert f'<img src="{FILES}{leads}" alt="p" loading="lazy">' in render(f"![p]({address})", PLACE)
    assert f'<a href="{BLOB}{leads}"' in render(f"[p]({address})", PLACE)


def test_a_folder_of_its_own() -> None:
    html = render("![p](a.png) [q](../b.md)", Place("ann/digits", "main", OID, folder="docs/x"))
    assert f'src="{FILES}/docs/x/a.png"' in html
    assert 'href="/ann/digits/blob/main/docs/b.md"' in html


def test_other_links() -> None:
    assert 'href="#card-use-it"' in render("[p](#use-it)", PLACE)
    assert 'href="/bob/other"' in render("[p](/bob/other)", PLACE)
    assert 'href="https://far.test" rel=' in render("[p](//far.test)", PLACE)
    assert 'href="mailto:a@b.test"' in render("[p](mailto:a@b.test)", PLACE)


def test_pictures_from_elsewhere_become_links() -> None:
    html = render('![A plot](https://far.test/a.png) <img src="http://far.test/b.png">', PLACE)
    assert "<img" not in html
    assert '<a href="https://far.test/a.png" rel="noopener noreferrer nofollow">A plot ↗</a>' in html
    assert '<a href="http://far.test/b.png" rel="noopener noreferrer nofollow">picture ↗</a>' in html
    badge = render("[![build](https://far.test/badge.svg)](https://ci.test/x)", PLACE)
    assert badge.strip() == '<p><a href="https://ci.test/x" rel="noopener noreferrer nofollow">build</a></p>'


MANY_LEFT_OPEN = "<div>" + "".join(f"<b id={number}>" for number in range(2900)) + "</div>\n\n"
SLOW = {
    "brackets": "[" * SHOWN_BYTES,
    "pictures": "![" * (SHOWN_BYTES // 2),
    "headings": "# a\n" * (SHOWN_BYTES // 4),
    "nested elements": "<div>" * (SHOWN_BYTES // 5),
    "left open": MANY_LEFT_OPEN + "a\n\n" * 2000,
}


@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW)
def test_what_was_written_to_be_slow_is_shown_as_it_stands(text: str) -> None:
    """As Markdown or HTML most of these would take from ten seconds to minutes, or gigabytes."""
    begin = time.thread_time()
    html = render(text, PLACE)
    assert time.thread_time() - begin < 8
    assert len(html) < 3 * SHOWN_BYTES
    assert "<div>" not in html
    assert html.startswith("<pre>") or "<div>" in text, "HTML alone counts as text, the rest stays Markdown"
    assert unescape(re.sub(r"</?(?:pre|p)>", "", html))[:100] == text[:100]


def test_a_long_card_that_is_meant_to_be_read_is_no_plain_text() -> None:
    row = "| `some_class_name` | 97.3% | 98.1% | 97.7% | 1,024 |\n"
    text = "# Classes\n\n| class | P | R | F1 | n |\n|---|---:|---:|---:|---:|\n" + row * (SHOWN_BYTES // len(row) - 2)
    html = render(text, PLACE)
    assert html.count("<tr>") > 4500


def test_only_the_beginning_of_what_is_too_long() -> None:
    html = render("é " * SHOWN_BYTES, PLACE)
    assert 0 < html.count("é") <= SHOWN_BYTES // 3 + 1
    assert render("", PLACE) == ""
