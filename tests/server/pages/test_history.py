"""Commits, what each changed, and two revisions side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from tests.server.pages.looking import BAD, check, links, look, text
from tests.server.pages.visiting import visit
from tests.server.rules.weights import file_of, network, with_new_head
from tests.server.running import Site, done, gone, small


@dataclass(frozen=True)
class Model:
    """A model of two versions, tagged v1 and v2."""

    repo: str
    commits: tuple[str, ...]


def figures(top1: float) -> bytes:
    return json.dumps({"top1": top1, "loss": 1 - top1, "per_class": {"cat": {"f1": top1}}}).encode()


@pytest.fixture(scope="module")
def model(shared: Site) -> Model:
    repo = shared.create("ann/history", "ann")
    shared.put_large(repo, "ann", "model.safetensors", file_of(network(900)))
    first = {
        "config.json": b'{"backbone": "resnet18", "id2label": {"0": "<b>cat"}}',
        "training/metrics.json": figures(0.5),
    }
    one = shared.put(repo, "ann", first | {"training/curves.png": b"\x89PNG1", "old.txt": b"x\n"})
    done(shared.ask("POST", f"/api/models/{repo}/tag/main", "ann", json={"tag": "v1"}))
    two = shared.put_large(repo, "ann", "model.safetensors", file_of(with_new_head(network(900))))
    second = {
        "config.json": b'{"backbone": "resnet50", "id2label": {"0": "<b>cat"}}',
        "training/metrics.json": figures(0.75),
    }
    lines = [
        small(path, data) for path, data in (second | {"training/curves.png": b"\x89PNG2", "new.txt": b"y\n"}).items()
    ]
    answer = done(shared.commit(repo, "ann", *lines, gone("old.txt"), summary=BAD, description=f"More\n{BAD}"))
    done(shared.ask("POST", f"/api/models/{repo}/tag/main", "ann", json={"tag": "v2"}))
    return Model(repo, (one, two, answer.json()["commitOid"]))


class TestCommits:
    def test_the_list(self, shared: Site, model: Model) -> None:
        page = look(shared, f"/{model.repo}/commits/main")
        shown = text(page)
        assert BAD[:20] in shown
        assert shown.count("ann, just now") == 5
        assert links(page, "/compare/")[0].endswith(f"/compare/{model.commits[1]}...{model.commits[2]}")
        for link in links(page, f"/{model.repo}/"):
            look(shared, link)

    def test_branches_and_tags(self, shared: Site, model: Model) -> None:
        shown = text(look(shared, f"/{model.repo}/commits/v1"))
        assert "Branches main Commits Compare with v1" in shown
        assert "Tags v1 Commits" in shown

    def test_it_is_paged(self, shared: Site) -> None:
        repo = shared.create("ann/history-long", "ann")
        for at in range(55):
            done(shared.commit(repo, "ann", small("n", b"%d" % at), summary=f"step {at:02}"))
        first, second = (look(shared, f"/{repo}/commits/main{query}") for query in ("", "?p=1"))
        assert ("step 54" in first, "step 04" in first, 'rel="next"' in first) == (True, False, True)
        assert ("step 04" in second, "initial commit" in second, 'rel="next"' in second) == (True, True, False)
        assert "Nothing older" in look(shared, f"/{repo}/commits/main?p=7")


class TestCommit:
    def test_a_changed_head(self, shared: Site, model: Model) -> None:
        shown = text(look(shared, f"/{model.repo}/commit/{model.commits[1]}"))
        assert "2 have other numbers; 17 are the same to the byte" in shown
        assert "5,130 parameters are not what they were" in shown
        assert "fc.bias changed F32 10" in shown
        assert "fc.weight changed F32 10 × 512" in shown
        assert "conv1" not in shown

    def test_values_lines_and_pictures(self, shared: Site, model: Model) -> None:
        page = look(shared, f"/{model.repo}/commit/{model.commits[2]}")
        shown = text(page)
        assert "top1 0.5000 0.7500 +0.2500 better" in shown
        assert "loss 0.5000 0.2500 −0.2500 better" in shown
        assert "per_class.cat.f1 0.5000 0.7500 +0.2500 better" in shown
        assert "backbone resnet18 resnet50" in shown
        assert "1 other values are the same" in shown
        assert "1 added, 3 changed, 1 removed" in shown
        assert '<tr class="removed"><td>-x</td></tr>' in page
        for oid in model.commits[1:]:
            assert f'<img src="/{model.repo}/resolve/{oid}/training/curves.png"' in page
        assert "<b>cat" not in page

    def test_the_first_of_all(self, shared: Site, model: Model) -> None:
        oldest = shared.get(f"/api/models/{model.repo}/commits/main").json()[-1]["id"]
        shown = text(look(shared, f"/{model.repo}/commit/{oldest}"))
        assert "none: the first commit of all" in shown
        assert "1 added" in shown
        assert look(shared, f"/{model.repo}/commit/{oldest[:8]}")

    def test_a_merge_with_each_parent(self, shared: Site) -> None:
        repo = shared.create("ann/history-merge", "ann")
        made = done(shared.commit(repo, "bob", small("theirs", b"x\n"), to="main?create_pr=1")).json()
        assert made["pullRequestUrl"].endswith("/discussions/1")
        shared.put(repo, "ann", {"ours": b"y\n"})
        done(shared.ask("POST", f"/api/models/{repo}/discussions/1/merge", "ann", json={}))
        head = shared.get(f"/api/models/{repo}").json()["sha"]
        first, second = (look(shared, f"/{repo}/commit/{head}{query}") for query in ("", "?parent=2"))
        assert (links(first, "/blob/")[0].endswith("/theirs"), links(second, "/blob/")[0].endswith("/ours")) == (
            True,
            True,
        )
        assert "a merge" in look(shared, f"/{repo}/commits/main")
        answer = shared.get(f"/{repo}/commit/{head}?parent=3", headers={"Accept": "text/html"})
        assert answer.status_code == 404

    def test_who_may_not_see_files_sees_their_names(self, shared: Site) -> None:
        repo = shared.create("ann/history-gated", "ann", gated=True)
        shared.put(repo, "ann", {"config.json": b'{"secret": 1}', "p.png": b"\x89PNG"})
        for path in ("commit/main", "compare/main...main~", "compare/main..." + "0" * 40):
            page = shared.get(f"/{repo}/{path}", "bob", headers={"Accept": "text/html"}).text
            assert "secret" not in page
            assert "/resolve/" not in page
        page = look(shared, f"/{repo}/commit/main", "bob")
        assert "config.json" in page
        assert "whom the owner let to them" in text(page)
        assert "secret" in look(shared, f"/{repo}/commit/main", "ann")


class TestCompare:
    def test_side_by_side(self, shared: Site, model: Model) -> None:
        page = look(shared, f"/{model.repo}/compare/v1...v2")
        shown = text(page)
        assert "fc.bias changed" in shown
        assert "top1 0.5000 0.7500 +0.2500 better" in shown
        assert "backbone resnet18 resnet50" in shown
        assert page.count("<figure>") == 2
        swapped = text(look(shared, f"/{model.repo}/compare/v2...v1"))
        assert "top1 0.7500 0.5000 −0.2500 worse" in swapped

    def test_figures_that_are_the_same_are_shown_too(self, shared: Site, model: Model) -> None:
        shown = text(look(shared, f"/{model.repo}/compare/v1...{model.commits[1]}"))
        assert "top1 0.5000 0.5000" in shown

    @pytest.mark.parametrize("path", ["?old=v1&new=v2", "/v2?with=v1", "/refs%2Ftags%2Fv1...v2", "/v1...refs/tags/v2"])
    def test_all_ways_to_ask(self, shared: Site, model: Model, path: str) -> None:
        assert "resnet18 resnet50" in text(look(shared, f"/{model.repo}/compare{path}"))

    def test_the_same_twice(self, shared: Site, model: Model) -> None:
        page = look(shared, f"/{model.repo}/compare/main...main")
        assert "Both are the same commit" in page
        commits = shared.get(f"/api/models/{model.repo}/commits/main").json()
        assert len(links(page, "...main")) == min(5, len(commits) - 1)  # earlier ones to compare with

    def test_without_a_first_one_it_is_what_the_second_came_after(self, shared: Site, model: Model) -> None:
        commits = shared.get(f"/api/models/{model.repo}/commits/main").json()
        page = look(shared, f"/{model.repo}/compare")
        assert f'value="{commits[1]["id"][:12]}"' in page
        assert "Both are the same commit" not in page

    @pytest.mark.parametrize(
        "path", ["/none...main", "?old=%3Cscript%3E", "/...", "/main....main", "/%00...x", "?old=" + "x" * 3000]
    )
    def test_what_is_not_there(self, shared: Site, model: Model, path: str) -> None:
        answer = shared.get(f"/{model.repo}/compare{path}", headers={"Accept": "text/html"})
        assert answer.status_code == (200 if path == "/..." else 404)
        check(answer)


def test_private_ones_look_as_if_they_were_not_there(shared: Site) -> None:
    hidden = shared.create("ann/history-hidden", "ann", private=True)
    shared.put(hidden, "ann", {"a": b"secret\n"})
    for path in (
        "tree/main",
        "blob/main/a",
        "commits/main",
        "commit/main",
        "compare/main...main",
        "compare",
        "discussions",
    ):
        answers = [
            shared.get(f"/ann/{name}/{path}", "bob", headers={"Accept": "text/html"})
            for name in ("history-hidden", "history-none")
        ]
        assert [each.status_code for each in answers] == [404, 404]
        assert answers[0].text.replace("history-hidden", "history-none") == answers[1].text
        assert "history-hidden" in look(shared, f"/{hidden}/{path}", "ann")
        assert visit(shared, "ann").get(f"/{hidden}/{path}").status_code == 200
        assert visit(shared, "bob").get(f"/{hidden}/{path}").status_code == 404
