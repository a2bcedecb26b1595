"""Files in the browser, each shown as what it is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tars_hub.server.rules import contents
from tests.server.pages.looking import BAD, check, links, look, text
from tests.server.rules.weights import file_of, network
from tests.server.running import Site, done, small

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63fcff9fa11e000782027f"
    "7fb9a5a50000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def repo(shared: Site) -> str:
    name = shared.create("ann/blob", "ann")
    files = {
        "bad.txt": BAD.encode(),
        "latin.txt": "caf\xe9 cr\xe8me\n".encode("latin-1"),
        "empty": b"",
        "config.json": b'{\n  "classes": 2\n}\n',
        "README.md": f"# Card\n{BAD}".encode(),
        "training/history.csv": b"\xef\xbb\xbfepoch,loss,note\n1,2.5,a\n2,1.25,<b>bold</b>\n",
        "one.csv": b"just one column\nof text\n",
        "plot.PNG": PIXEL,
        "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(5)</script></svg>",
        "page.html": b"<script>alert(6)</script>",
        "binary": bytes(range(256)),
        "crlf.txt": b"one\r\ntwo\r\n",
        "half.safetensors": b"\x10" + bytes(7) + b"not json at all!",
    }
    done(shared.commit(name, "ann", *(small(path, data) for path, data in files.items())))
    shared.put_large(name, "ann", "model.safetensors", file_of(network(), note=BAD))
    shared.put_large(name, "ann", "weights.bin", b"\x00weights" * 1000)
    return name


def rows(page: str) -> list[str]:
    return [text(row) for row in page.split('class="source"')[1].split("</table>", maxsplit=1)[0].split("<tr")[1:]]


def test_text_with_its_lines(shared: Site, repo: str) -> None:
    page = look(shared, f"/{repo}/blob/main/config.json")
    assert [row.split(">")[-1].strip() for row in rows(page)] == ["1 {", '2 "classes": 2', "3 }"]
    assert 'id="L2"' in page
    assert 'href="#L2"' in page
    assert "This is its beginning" not in page


@pytest.mark.parametrize("path", ["bad.txt", "page.html", "README.md", "training/history.csv", "drawing.svg"])
def test_strangers_files_are_no_markup(shared: Site, repo: str, path: str) -> None:
    page = look(shared, f"/{repo}/blob/main/{path}")
    assert "<script>" not in page
    assert "<b>bold" not in page


def test_the_card_leads_to_its_page(shared: Site, repo: str) -> None:
    assert f'<a href="/{repo}">see it as a page' in look(shared, f"/{repo}/blob/main/README.md")


def test_other_encodings(shared: Site, repo: str) -> None:
    page = text(look(shared, f"/{repo}/blob/main/latin.txt"))
    assert "café crème" in page
    assert "Latin-1" in page
    assert "Latin-1" not in text(look(shared, f"/{repo}/blob/main/bad.txt"))
    assert [row.split(">")[-1].strip() for row in rows(look(shared, f"/{repo}/blob/main/crlf.txt"))] == [
        "1 one",
        "2 two",
    ]
    assert "It is empty" in look(shared, f"/{repo}/blob/main/empty")


def test_tables(shared: Site, repo: str) -> None:
    page = look(shared, f"/{repo}/blob/main/training/history.csv")
    assert '<th class="number">epoch</th>' in page  # and not the mark at the file's beginning
    assert '<td class="number">1.25</td>' in page
    assert "<td>a</td>" in page
    assert 'class="source"' in look(shared, f"/{repo}/blob/main/training/history.csv?raw")
    assert 'class="source"' in look(shared, f"/{repo}/blob/main/one.csv")


def test_a_wide_and_long_table_is_cut(shared: Site, repo: str) -> None:
    shared.put(repo, "ann", {"wide.csv": b"".join(b"x," * 999 + b"y" * 999 + b"\n" for _ in range(600))})
    page = look(shared, f"/{repo}/blob/main/wide.csv")
    assert page.count("<td>") <= 60 * 500
    assert "its first" in text(page)


@pytest.mark.parametrize("data", [b'a,"b\n' * 50_000, b"a,b\n" + b'"' + b"x" * 200_000, b"a,b\n1,\x00\n", b",\n" * 9])
def test_odd_tables(shared: Site, repo: str, data: bytes) -> None:
    shared.put(repo, "ann", {"odd.csv": data})
    look(shared, f"/{repo}/blob/main/odd.csv")


def test_pictures(shared: Site, repo: str) -> None:
    for path in ("plot.PNG", "drawing.svg"):
        page = look(shared, f"/{repo}/blob/main/{path}")
        [address] = [link for link in page.split('<img src="') if link.startswith(f"/{repo}/resolve/")]
        picture = done(shared.get(address.split('"')[0]))
        assert picture.headers["Content-Type"] in ("image/png", "image/svg+xml")


def test_addresses_of_pictures_run_nothing(shared: Site, repo: str) -> None:
    for path, kind, keeping in (
        ("plot.PNG", "image/png", "inline"),
        ("drawing.svg", "image/svg+xml", "attachment"),
        ("page.html", "application/octet-stream", "attachment"),
    ):
        headers = done(shared.get(f"/{repo}/resolve/main/{path}")).headers
        assert headers["Content-Type"] == kind
        assert headers["Content-Disposition"].startswith(keeping)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert headers["Cache-Control"] == "private, no-cache"


def test_tensors_from_the_header_alone(shared: Site, repo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0
    real = contents.read_blob

    def counting(*args: object) -> object:
        nonlocal read
        for piece in real(*args):  # type: ignore[arg-type]
            read += len(piece)
            yield piece

    monkeypatch.setattr(contents, "read_blob", counting)
    shown = text(look(shared, f"/{repo}/blob/main/model.safetensors"))
    assert read < 10_000
    assert "layer1.conv.weight F32 32 × 64 × 3 × 3 18,432" in shown
    assert "fc.bias F32 10 10" in shown
    total = sum(array.size for array in network().values())
    assert f"19 tensors, {total:,} parameters in F32" in shown
    assert "format pt" in shown


def test_many_tensors_are_paged(shared: Site, repo: str) -> None:
    many = {f"t{at:05}": np.zeros((), np.float16) for at in range(2500)}
    shared.put_large(repo, "ann", "many.safetensors", file_of(many))
    page = look(shared, f"/{repo}/blob/main/many.safetensors")
    assert page.count('class="mono name"') == 1000
    assert "2,500 tensors, 2,500 parameters in F16" in text(page)
    assert "t02499 F16 scalar 1 parameter" in text(look(shared, f"/{repo}/blob/main/many.safetensors?p=2"))


def test_a_hostile_header(shared: Site, repo: str) -> None:
    header = json.dumps(
        {
            BAD: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
            "\ud800": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
            "__metadata__": {"k" * 9999: BAD * 999},
        }
    ).encode()
    shared.put_large(repo, "ann", "bad.safetensors", len(header).to_bytes(8, "little") + header + bytes(8))
    page = look(shared, f"/{repo}/blob/main/bad.safetensors")
    assert "alert(1)" in page
    assert len(page) < 10_000


def test_a_damaged_header(shared: Site, repo: str) -> None:
    shown = text(look(shared, f"/{repo}/blob/main/half.safetensors"))
    assert "no sound safetensors file: a safetensors header that is not JSON" in shown


def test_what_cannot_be_shown(shared: Site, repo: str) -> None:
    for path in ("binary", "weights.bin"):
        page = look(shared, f"/{repo}/blob/main/{path}")
        assert "nothing to show of this kind" in text(page)
        assert links(page, "/resolve/")
    shown = text(look(shared, f"/{repo}/blob/main/weights.bin"))
    assert "SHA-256" in shown
    assert "8,000 bytes" in shown


def test_a_large_text_is_shown_by_its_beginning(shared: Site, repo: str) -> None:
    shared.put_large(repo, "ann", "long.txt", "é1234567\n".encode() * 300_000)
    shared.put_large(repo, "ann", "one-line.txt", b"x" * 3_000_000)
    page = look(shared, f"/{repo}/blob/main/long.txt")
    assert "the first 5,000 lines" in text(page)
    assert "Latin-1" not in page  # also where the beginning ends within a letter
    assert len(page) < 1 << 20
    assert len(look(shared, f"/{repo}/blob/main/one-line.txt")) < 600_000


def test_files_are_only_for_those_who_may_have_them(shared: Site) -> None:
    repo = shared.create("ann/blob-gated", "ann", gated=True)
    shared.put(repo, "ann", {"x.txt": b"secret"})
    answer = shared.get(f"/{repo}/blob/main/x.txt", "bob", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (403, "GatedRepo")
    assert "secret" not in answer.text
    assert "secret" in look(shared, f"/{repo}/blob/main/x.txt", "ann")
    hidden = shared.create("ann/blob-private", "ann", private=True)
    shared.put(hidden, "ann", {"x.txt": b"secret"})
    answers = [
        shared.get(f"/ann/{name}/blob/main/x.txt", "bob", headers={"Accept": "text/html"})
        for name in ("blob-private", "blob-none")
    ]
    assert [each.status_code for each in answers] == [404, 404]
    assert answers[0].text.replace("blob-private", "blob-none") == answers[1].text


@pytest.mark.parametrize("path", ["main/none", "main/training", "none/x", "main/x/%2E%2E/config.json"])
def test_what_is_not_there(shared: Site, repo: str, path: str) -> None:
    answer = shared.get(f"/{repo}/blob/{path}", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    check(answer)
