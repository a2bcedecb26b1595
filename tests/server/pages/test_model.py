"""The page of a model: card, facts, figures, lines to copy, and who sees how much of it."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from tars_hub.listening import address_of, listening, serving
from tars_hub.server.app import create_app
from tars_hub.server.pages import sheet
from tars_hub.server.rules.tokens import create_token
from tests.server.pages.looking import links, look, text
from tests.server.pages.visiting import Visit, visit
from tests.server.running import Site, done

CLASSES = [f"kind {number}" for number in range(60)]
CONFIG = {
    "library_name": "tars-hub",
    "backbone": "resnet18",
    "architecture": "resnet18",
    "pretrained_cfg": {"num_classes": 60},
    "num_classes": 60,
    "id2label": {str(index): name for index, name in enumerate(CLASSES)},
}
METRICS = {
    "pictures": 1234,
    "top1": 0.9712,
    "top1_interval": [0.95, 0.98],
    "top5": 0.999,
    "loss": 0.1234,
    "per_class": {name: {} for name in CLASSES},
    "f1": None,
    "recall": "<b>",
}
CARD = b"""---
license: mit
library_name: tars-hub
pipeline_tag: image-classification
tags: [flowers, "two words"]
---
# A card

![Curves](training/curves.png)
"""
FILES = {
    "README.md": CARD,
    "config.json": json.dumps(CONFIG).encode(),
    "training/metrics.json": json.dumps(METRICS).encode(),
    "training/curves.png": b"\x89PNG\r\n\x1a\n",
}


@pytest.fixture(scope="module")
def repo(shared: Site) -> str:
    name = shared.create("ann/model", "ann")
    shared.put(name, "ann", FILES)
    done(shared.ask("POST", f"/api/models/{name}/tag/main", "ann", json={"tag": "v1"}))
    done(shared.ask("POST", f"/api/models/{name}/branch/feature%2Fx", "ann", json={}))
    shared.put(name, "ann", {"README.md": b"# Another", "config.json": b"{}"})
    return name


def side(page: str) -> dict[str, str]:
    """The facts beside the card."""
    return {
        text(name): text(value) for name, value in re.findall(r"<dt>(.*?)</dt><dd[^>]*>(.*?)</dd>", page, re.DOTALL)
    }


def test_facts(shared: Site, repo: str) -> None:
    page = look(shared, f"/{repo}?rev=v1")
    facts = side(page)
    assert facts["Task"] == "image-classification"
    assert facts["Backbone"] == "resnet18"
    assert facts["Library"] == "tars-hub"
    assert facts["Licence"] == "mit"
    assert facts["Updated"] == "just now"
    assert "in 5 files" in facts["Size"]
    assert {"flowers", "two words"} <= set(re.findall(r'<a class="badge"[^>]*>([^<]*)<', page))
    for link in (*links(page, "?tag="), *links(page, "?backbone=")):
        look(shared, link)


def test_classes_are_named_and_the_rest_can_be_shown(shared: Site, repo: str) -> None:
    classes = re.search(r"<dt>Classes</dt><dd>(.*?)</dd>", look(shared, f"/{repo}?rev=v1"), re.DOTALL)
    assert classes
    before, after = classes[1].split("<details>")
    assert text(before).startswith("60 kind 0 kind 1 ")
    assert "kind 49" in before
    assert "kind 50" not in before
    assert text(after).startswith("Show all kind 50")
    assert "kind 59" in after


def test_figures_of_the_trainer(shared: Site, repo: str) -> None:
    said = text(look(shared, f"/{repo}?rev=v1"))
    assert "Top-1 accuracy 97.1% 95.0% to 98.0%" in said
    assert "Top-5 accuracy 99.9%" in said
    assert "Loss 0.1234" in said
    assert "Pictures 1,234" in said
    assert "F1" not in said
    assert "Recall" not in said


def test_figures_of_a_card_alone(shared: Site) -> None:
    name = shared.create("ann/foreign", "ann")
    shared.put(
        name,
        "ann",
        {
            "README.md": b"""---
model-index:
- name: x
  results:
  - task: {type: image-classification}
    dataset: {type: x, name: ImageNet, split: val}
    metrics: [{type: accuracy, name: Top-1, value: 76.13}, {type: f1, value: 0.5}, {type: odd, value: [1]}]
---
"""
        },
    )
    said = text(look(shared, f"/{name}"))
    assert "Top-1 ImageNet val 76.13" in said
    assert "f1 ImageNet val 50.0%" in said
    assert "76.1% top-1" in text(look(shared, "/?search=foreign"))


def test_the_card_shows_its_pictures(shared: Site, repo: str) -> None:
    page = look(shared, f"/{repo}?rev=v1")
    assert '<h1 id="card-a-card">A card</h1>' in page
    [picture] = re.findall(r'<img src="(/ann[^"]*)" alt="Curves" loading="lazy">', page)
    assert re.match(rf"/{repo}/resolve/[0-9a-f]{{40}}/training/curves.png", picture)
    assert done(shared.get(picture)).content == FILES["training/curves.png"]
    assert "license: mit" not in text(page)


def test_revisions(shared: Site, repo: str) -> None:
    page = look(shared, f"/{repo}")
    assert "Another" in page
    assert "A card" not in page
    ways = dict(re.findall(r'<li><a href="([^"]*)"[^>]*>([^<]*)</a></li>', page))
    assert ways == {f"/{repo}": "main", f"/{repo}?rev=feature%2Fx": "feature/x", f"/{repo}?rev=v1": "v1 (tag)"}
    for link in ways:
        look(shared, link)
    older = look(shared, f"/{repo}?rev=feature%2Fx")
    assert "A card" in older
    assert f'href="/{repo}/tree/feature%2Fx"' in older
    [command] = re.findall(r"hf download (.*)</pre>", older)
    assert unescape(command) == f"{repo} --revision feature/x"
    assert "--revision" not in page
    for tab in re.findall(r'<a href="([^"]*)"', older.split('class="tabs"')[1].split("</nav>")[0]):
        assert shared.get(tab).status_code == 200, tab


@pytest.mark.parametrize(
    ("config", "names"),
    [
        (CONFIG, ["Python", "Shell", "hf", "timm"]),
        ({**CONFIG, "pretrained_cfg": None}, ["Python", "Shell", "hf"]),
        ({"architecture": "resnet18", "pretrained_cfg": {}}, ["hf", "timm"]),
        ({"backbone": "resnet18"}, ["hf"]),
        ([1, 2], ["hf"]),
        ("\ud800", ["hf"]),
    ],
)
def test_which_lines_are_offered(shared: Site, config: object, names: list[str]) -> None:
    shared.clear()
    name = shared.create("ann/lines", "ann")
    shared.put(name, "ann", {"config.json": json.dumps(config).encode()})
    page = look(shared, f"/{name}")
    assert re.findall(r"<summary>(\w+)</summary>", page) == names
    assert (f"export HF_ENDPOINT={shared.url}" in page) is ("hf" in names)
    assert "HF_TOKEN=hf_…" not in page
    done(shared.ask("PUT", f"/api/models/{name}/settings", "ann", json={"visibility": "private"}))
    assert "HF_TOKEN=hf_…" in look(shared, f"/{name}", "ann")


def test_hostile_configs_and_metrics(shared: Site) -> None:
    shared.clear()
    name = shared.create("ann/odd", "ann")
    for config, metrics in (
        (b"{" * 100_000, b"[" * 100_000),
        (b'{"id2label": {"0": ["<b>"], "1": 2}, "num_classes": -5}', b'{"top1": 1e999, "top1_interval": [1]}'),
        (b'{"id2label": {"5": "x"}, "backbone": 7}', b'{"top1": NaN, "loss": "x", "per_class": 3}'),
        (b'{"num_classes": 99999999999999999999}', b'{"top1": ' + b"9" * 4000 + b', "pictures": 1e300}'),
    ):
        shared.put(name, "ann", {"config.json": config, "training/metrics.json": metrics})
        look(shared, f"/{name}")
    names = {str(index): f"n{index} " + "x" * 500 for index in range(10_000)}
    shared.put(name, "ann", {"config.json": json.dumps({"id2label": names, "num_classes": 10_000}).encode()})
    page = look(shared, f"/{name}")
    assert len(page) < 400_000
    assert "Show the first 2,000" in page


class TestWhoSeesWhat:
    @pytest.fixture(autouse=True)
    def _repos(self, shared: Site) -> None:
        shared.clear()
        shared.put(shared.create("ann/private", "ann", private=True), "ann", FILES)
        shared.put(shared.create("ann/gated", "ann", gated=True), "ann", FILES)

    def test_private(self, shared: Site) -> None:
        for visitor in (visit(shared), visit(shared, "bob")):
            assert visitor.get("/ann/private").status_code == 404
            assert visitor.get("/ann/private?rev=none").text.count("no repository") == 1
        page = visit(shared, "ann").get("/ann/private").text
        assert "A card" in page
        assert '<span class="badge">private</span>' in page

    def test_gated(self, shared: Site) -> None:
        """Facts are for all, files for those who were let in."""
        for visitor in (visit(shared), visit(shared, "bob"), visit(shared, "bob:read")):
            page = visitor.get("/ann/gated").text
            assert "resnet18" in page
            assert "60" in side(page)["Classes"]
            for hidden in ("A card", "kind 1", "Top-1", "hf download", "/resolve/"):
                assert hidden not in page
        assert "A card" in visit(shared, "ann").get("/ann/gated").text

    def test_asking_for_access(self, shared: Site) -> None:
        bob = visit(shared, "bob")
        assert 'href="/login?next=%2Fann%2Fgated"' in visit(shared).get("/ann/gated").text
        assert "ask-access" not in visit(shared, "bob:read").get("/ann/gated").text
        self.asked(shared, bob, "pending", "has not answered yet")
        self.asked(shared, bob, "rejected", "has declined your request")
        self.asked(shared, bob, "accepted", "A card")

    @staticmethod
    def asked(shared: Site, bob: Visit, status: str, said: str) -> None:
        page = bob.get("/ann/gated").text
        if status == "pending":
            assert re.search(
                r'<form method="post" action="/ann/gated/ask-access"><input type="hidden" name="csrf"', page
            )
        repo = shared.hub.catalog.repositories.find("ann/gated")
        user = shared.caller("bob").user
        assert repo
        assert user
        shared.hub.catalog.audience.request(repo.id, user.id, "pending")
        shared.hub.catalog.audience.decide(repo.id, user.id, status)  # type: ignore[arg-type]
        assert said in bob.get("/ann/gated").text

    def test_buttons_are_for_those_who_may(self, shared: Site) -> None:
        shared.put(shared.create("ann/open", "ann"), "ann", FILES)
        scoped = create_token(shared.hub, "ann", role="read")
        shared.tokens["scoped"] = scoped
        for who, acts in (("ann", True), ("bob", True), ("bob:read", False), ("", False), ("scoped", False)):
            page = visit(shared, who).get("/ann/open").text
            assert ('action="/ann/open/like"' in page) is acts
            assert ("/ann/open/settings" in page) is (who == "ann")
        assert 'action="/ann/open/like"' not in look(shared, "/ann/open", "ann")  # a program with a token

    def test_likes(self, shared: Site) -> None:
        shared.put(shared.create("ann/open", "ann"), "ann", FILES)
        repo, user = shared.hub.catalog.repositories.find("ann/open"), shared.caller("bob").user
        assert repo
        assert user
        assert 'aria-pressed="false"' in visit(shared, "bob").get("/ann/open").text
        shared.hub.catalog.audience.like(repo.id, user.id, liked=True)
        assert 'aria-pressed="true"' in visit(shared, "bob").get("/ann/open").text
        assert 'aria-pressed="false"' in visit(shared, "ann").get("/ann/open").text
        assert "0 downloads · 1 like" in text(look(shared, "/ann/open"))


class TestCards:
    @pytest.fixture(autouse=True)
    def _empty(self, shared: Site) -> None:
        shared.clear()
        shared.create("ann/card", "ann")

    def test_none(self, shared: Site) -> None:
        page = visit(shared, "ann").get("/ann/card").text
        assert "No card yet" in page
        assert f"HF_ENDPOINT={shared.url}" in page
        assert "/ann/card/upload/main" in page
        assert "upload" not in text(look(shared, "/ann/card", "bob"))

    def test_a_long_one_is_cut(self, shared: Site) -> None:
        shared.put("ann/card", "ann", {"README.md": b"word " * 200_000})
        page = look(shared, "/ann/card")
        assert "This card is long; here is its beginning." in page
        assert 250_000 < len(page) < 300_000
        [whole] = links(page.split("article")[0], "/resolve/")
        assert len(done(shared.get(whole)).content) == 1_000_000

    def test_a_long_one_is_plain_text_where_there_is_no_turn(
        self, shared: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tars_hub.server.rules.turns._PATIENCE_S", 0.01)
        shared.put("ann/card", "ann", {"README.md": b"# Title\n" + b"other words " * 10_000})
        with shared.hub.turns, shared.hub.turns:
            assert "<pre># Title" in look(shared, "/ann/card")
        assert ">Title</h1>" in look(shared, "/ann/card")

    @pytest.mark.parametrize(
        "data", [b"", b"---\n", b"---\nlicense: [\n---\n# hi", b"\xff\xfe\x00", b"\xef\xbb\xbf# hi"]
    )
    def test_odd_ones(self, shared: Site, data: bytes) -> None:
        shared.put("ann/card", "ann", {"README.md": data})
        look(shared, "/ann/card")

    def test_it_is_made_once(self, shared: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        shared.put("ann/card", "ann", {"README.md": b"# made once"})
        made: list[str] = []
        render = sheet.render
        monkeypatch.setattr(sheet, "render", lambda text, place: made.append(text) or render(text, place))
        for _ in range(3):
            look(shared, "/ann/card")
        assert made == ["# made once"]


def test_try_it_leads_to_the_demo(shared: Site) -> None:
    shared.clear()
    shared.put(shared.create("ann/try", "ann"), "ann", {"config.json": json.dumps(CONFIG).encode()})
    shared.put(shared.create("ann/other", "ann"), "ann", {"config.json": b"{}"})
    done(shared.ask("POST", "/api/models/ann/try/branch/a%26b", "ann", json={}))

    async def demo(scope: object, receive: object, send: object) -> None:
        raise NotImplementedError

    assert "Try it" not in look(shared, "/ann/try")
    with (
        listening("127.0.0.1", 0) as listener,
        serving(create_app(shared.hub, mounts=[("/demo", demo)]), listener),
    ):
        url = address_of(listener)
        page = shared.get(f"{url}/ann/try").text
        assert '<a class="button" href="/demo/?model=ann%2Ftry">Try it</a>' in page
        page = shared.get(f"{url}/ann/try?rev=a%26b").text
        assert '<a class="button" href="/demo/?model=ann%2Ftry&amp;revision=a%26b">Try it</a>' in page
        page = shared.get(f"{url}/ann/other").text
        assert '<a class="button" href="/demo/' not in page
        assert '<a href="/demo/">Try it</a>' in page


def test_a_bad_revision(shared: Site) -> None:
    shared.clear()
    shared.create("ann/try", "ann")
    assert shared.get("/ann/try?rev=none").status_code == 404
    assert shared.get(f"/ann/try?rev={'x' * 400}").status_code == 400
