"""Push and pull with the real client of huggingface_hub, against a small hub in a thread."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load

from tars_hub import remote
from tars_hub.config import FIGURES, PUSHED
from tars_hub.errors import DownloadError, ModelNotFoundError, TarsError, UsageError
from tars_hub.model import TarsClassifier
from tars_hub.remote import model_folder
from tests.fake_hub import TOKEN, FakeHub, fake_hub
from tests.networks import answers

SMALL = "shufflenet_v2_x0_5"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of each test's own: the client finds repositories there by name, whatever hub they came from."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub() as running:
        yield running


def classifier(*classes: str) -> TarsClassifier:
    return TarsClassifier.create(SMALL, classes or ("cat", "dog"))


def push(hub: FakeHub, model: TarsClassifier, name: str = "alice/pets", **options: Any) -> str:
    return model.push_to_hub(name, endpoint=hub.url, token=TOKEN, **options)


def pull(hub: FakeHub, name: str = "alice/pets", **options: Any) -> TarsClassifier:
    return TarsClassifier.from_pretrained(name, endpoint=hub.url, **options)


def refusal(kind: type[TarsError], hub: FakeHub, name: str = "alice/pets", **options: Any) -> str:
    """The one line with which a pull fails."""
    with pytest.raises(kind) as caught:
        pull(hub, name, **options)
    assert type(caught.value) is kind
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    return str(caught.value)


# ---------------------------------------------------------------- there and back


def test_what_is_pushed_is_pulled_with_the_same_answers(hub: FakeHub) -> None:
    model = classifier()
    address = push(hub, model)
    assert re.fullmatch(rf"{hub.url}/alice/pets/commit/[0-9a-f]{{40}}", address)
    loaded = pull(hub)
    assert loaded.config == model.config
    assert torch.equal(answers(loaded), answers(model))


def test_one_commit_holds_the_three_files(hub: FakeHub) -> None:
    model = classifier()
    push(hub, model)
    repository = hub.repositories["alice/pets"]
    tree = repository.commits[repository.branches["main"]]
    assert set(tree) == {".gitattributes", "README.md", "config.json", "model.safetensors"}
    assert len(repository.commits) == 2  # the empty one and ours
    assert json.loads(tree["config.json"])["backbone"] == SMALL
    assert load(tree["model.safetensors"]).keys() == model.backbone.state_dict().keys()


def test_nothing_else_of_a_repository_is_fetched(hub: FakeHub) -> None:
    push(hub, classifier())
    hub.repositories["alice/pets"].commit("main", {"huge.bin": b"x" * 1000, "evil.py": b"raise SystemExit"})
    pull(hub)
    assert not [request for request in hub.requests if "huge" in request or "evil" in request]


def test_the_card_is_pushed_and_pulled_and_kept(hub: FakeHub, tmp_path: Path) -> None:
    model = classifier()
    model.save_pretrained(tmp_path / "model", card="---\ntags: [mine]\n---\n# Ünsere\n")
    push(hub, TarsClassifier.from_pretrained(tmp_path / "model"))
    loaded = pull(hub)
    assert loaded.card == "---\ntags: [mine]\n---\n# Ünsere\n"
    push(hub, loaded, "alice/again")
    assert pull(hub, "alice/again").card == loaded.card


def test_saving_can_push_too(hub: FakeHub, tmp_path: Path) -> None:
    address = classifier().save_pretrained(
        tmp_path / "pets", push_to_hub=True, repo_id="alice/saved", endpoint=hub.url, token=TOKEN
    )
    assert address is not None
    assert pull(hub, "alice/saved").config == TarsClassifier.from_pretrained(tmp_path / "pets").config
    classifier().save_pretrained(tmp_path / "named-so", push_to_hub=True, endpoint=hub.url, token=TOKEN)
    assert "alice/named-so" in hub.repositories


def test_pushing_leaves_no_folder_behind(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    push(hub, classifier())
    assert not [path for path in tmp_path.iterdir() if path.name != "cache"]


def test_a_second_pull_moves_no_file(hub: FakeHub) -> None:
    push(hub, classifier())
    pull(hub)
    hub.requests.clear()
    pull(hub)
    assert len(hub.requests) == 1, hub.requests  # which commit it is, and whether it may still be read


def test_what_the_cache_lost_is_fetched_again(hub: FakeHub) -> None:
    push(hub, classifier())
    weights = pull(hub).folder / "model.safetensors"  # type: ignore[operator]
    weights.unlink()
    pull(hub)
    assert weights.is_file()


def test_a_push_over_a_push_is_what_is_pulled_next(hub: FakeHub) -> None:
    push(hub, classifier("a", "b"))
    assert pull(hub).config.classes == ("a", "b")
    push(hub, classifier("c", "d", "e"))
    assert pull(hub).config.classes == ("c", "d", "e")


# ---------------------------------------------------------------- what goes with a trained model

CARD = "# Pets\n" + "".join(f"![a figure]({name})\n" for name in FIGURES)
THREE = {"README.md", "config.json", "model.safetensors"}


def trained(folder: Path, card: str = CARD, *, without: tuple[str, ...] = (), text: str = "x") -> TarsClassifier:
    """A model folder as a training leaves it, and what is nobody else's business beside it."""
    names = {*PUSHED, "training/state.safetensors", "training/predictions.csv", "training/private.png"} - {*without}

    def finish(fresh: Path) -> None:
        (fresh / "training").mkdir()
        for name in names:
            (fresh / name).write_text(f"{text} of {name}")

    model = classifier()
    model.save_pretrained(folder, card=card, finish=finish, remove=[*PUSHED])
    (folder / "notes.txt").write_text("mine")
    return model


def tree(hub: FakeHub, name: str = "alice/pets") -> dict[str, bytes]:
    """The files of the newest commit, but for the hub's own."""
    repository = hub.repositories[name]
    found = repository.commits[repository.branches["main"]]
    return {path: content for path, content in found.items() if path != ".gitattributes"}


@pytest.mark.parametrize("loaded", [False, True])
def test_a_trained_model_is_pushed_with_what_its_card_shows(hub: FakeHub, tmp_path: Path, loaded: bool) -> None:
    model = trained(tmp_path / "model")
    push(hub, TarsClassifier.from_pretrained(tmp_path / "model") if loaded else model)
    assert set(tree(hub)) == {*THREE, *PUSHED}
    assert tree(hub)["training/curves.png"] == b"x of training/curves.png"
    assert tree(hub)["README.md"].decode() == CARD
    assert len(hub.repositories["alice/pets"].commits) == 2  # the empty one and ours
    assert model.folder == tmp_path / "model"


def test_the_working_folder_may_change_between_loading_and_pushing(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    model = TarsClassifier.from_pretrained("model")
    monkeypatch.chdir("/")
    push(hub, model)
    assert set(tree(hub)) == {*THREE, *PUSHED}


def test_saving_and_pushing_at_once_takes_them_too(hub: FakeHub, tmp_path: Path) -> None:
    model = trained(tmp_path / "model")
    model.save_pretrained(tmp_path / "model", push_to_hub=True, repo_id="alice/pets", endpoint=hub.url, token=TOKEN)
    assert set(tree(hub)) == {*THREE, *PUSHED}


def test_pictures_that_are_not_there_are_not_missed(hub: FakeHub, tmp_path: Path) -> None:
    push(hub, trained(tmp_path / "model", without=("training/mistakes.jpg", "training/history.csv")))
    assert set(tree(hub)) == {*THREE, *PUSHED} - {"training/mistakes.jpg", "training/history.csv"}


def test_a_picture_that_the_card_does_not_show_stays_here(hub: FakeHub, tmp_path: Path) -> None:
    push(hub, trained(tmp_path / "model", "![](training/curves.png)"))
    assert set(tree(hub)) == {*THREE, "training/metrics.json", "training/history.csv", "training/curves.png"}


def test_what_an_earlier_training_left_is_not_pushed_with_another_model(hub: FakeHub, tmp_path: Path) -> None:
    trained(tmp_path / "model")
    classifier("a", "b").save_pretrained(tmp_path / "model")  # its own card, and the old training stays beside it
    push(hub, TarsClassifier.from_pretrained(tmp_path / "model"))
    assert set(tree(hub)) == THREE


def test_with_another_card_than_the_folders_nothing_goes_along(hub: FakeHub, tmp_path: Path) -> None:
    model = trained(tmp_path / "model")
    trained(tmp_path / "model", CARD + "trained anew")  # by another program meanwhile
    push(hub, model)
    assert set(tree(hub)) == THREE
    assert tree(hub)["README.md"].decode() == CARD


def test_a_link_in_a_strangers_folder_is_not_followed(hub: FakeHub, tmp_path: Path) -> None:
    trained(tmp_path / "model")
    (tmp_path / "secret").write_text("private")
    (tmp_path / "model" / "training" / "curves.png").unlink()
    (tmp_path / "model" / "training" / "curves.png").symlink_to(tmp_path / "secret")
    push(hub, TarsClassifier.from_pretrained(tmp_path / "model"))
    assert set(tree(hub)) == {*THREE, *PUSHED} - {"training/curves.png"}
    (tmp_path / "model" / "training").rename(tmp_path / "elsewhere")
    (tmp_path / "model" / "training").symlink_to(tmp_path / "elsewhere")
    push(hub, TarsClassifier.from_pretrained(tmp_path / "model"), "alice/linked")
    assert set(tree(hub, "alice/linked")) == THREE


def test_a_picture_that_cannot_be_read_is_one_line(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained(tmp_path / "model")
    read = Path.read_bytes

    def refuse(self: Path) -> bytes:
        if self.name == "curves.png":
            raise PermissionError(13, "Permission denied", str(self))
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UsageError, match=r"curves\.png cannot be read: Permission denied"):
        push(hub, model)
    assert not hub.repositories


def test_a_push_of_a_training_takes_the_place_of_an_earlier_one(hub: FakeHub, tmp_path: Path) -> None:
    push(hub, trained(tmp_path / "first"))
    hub.repositories["alice/pets"].commit("main", {"training/notes.md": b"mine"})
    push(hub, trained(tmp_path / "second", without=("training/mistakes.jpg",), text="y"))
    assert set(tree(hub)) == {*THREE, *PUSHED, "training/notes.md"} - {"training/mistakes.jpg"}
    assert tree(hub)["training/curves.png"] == b"y of training/curves.png"


def test_a_pulled_model_is_three_files_and_pushed_again_leaves_the_pictures(hub: FakeHub, tmp_path: Path) -> None:
    push(hub, trained(tmp_path / "model"))
    hub.requests.clear()
    model = pull(hub)
    assert not [request for request in hub.requests if "training" in request]
    push(hub, model)
    assert set(tree(hub)) == {*THREE, *PUSHED}


# ---------------------------------------------------------------- revisions


def test_a_revision_is_a_branch_or_a_commit(hub: FakeHub) -> None:
    first = push(hub, classifier("a", "b")).rpartition("/")[2]
    hub.repositories["alice/pets"].branches["old"] = first
    push(hub, classifier("c", "d"))
    assert pull(hub).config.classes == ("c", "d")
    for revision, expected in (("main", "c"), ("old", "a"), (first, "a")):
        assert pull(hub, revision=revision).config.classes[0] == expected


def test_a_branch_can_be_pushed_to(hub: FakeHub) -> None:
    push(hub, classifier("a", "b"))
    branches = hub.repositories["alice/pets"].branches
    branches["trial"] = branches["main"]
    push(hub, classifier("c", "d"), branch="trial")
    assert pull(hub).config.classes == ("a", "b")
    assert pull(hub, revision="trial").config.classes == ("c", "d")
    with pytest.raises(ModelNotFoundError, match="alice/pets has no branch 'none'"):
        push(hub, classifier(), branch="none")


@pytest.mark.parametrize("revision", ["v9", "a" * 40, "feature/x"])
def test_a_missing_revision_is_named(hub: FakeHub, revision: str) -> None:
    push(hub, classifier())
    pull(hub)  # so that another revision is in the cache
    assert refusal(ModelNotFoundError, hub, revision=revision) == f"alice/pets has no revision {revision!r}"


# ---------------------------------------------------------------- rights


def test_a_missing_repository_and_a_private_one_look_the_same(hub: FakeHub) -> None:
    push(hub, classifier(), "alice/secret", private=True)
    assert hub.repositories["alice/secret"].private
    messages = {refusal(ModelNotFoundError, hub, name).replace(name, "X") for name in ("alice/secret", "alice/none")}
    assert messages == {f"X: no such folder here, and no such repository at {hub.url} (or no right to read it)"}


def test_a_token_opens_a_private_repository(hub: FakeHub) -> None:
    push(hub, classifier("a", "b"), "alice/secret", private=True)
    assert pull(hub, "alice/secret", token=TOKEN).config.classes == ("a", "b")


def test_the_cache_opens_nothing_that_the_hub_keeps_shut(hub: FakeHub) -> None:
    """The client alone would hand out, without a word, what somebody else downloaded before."""
    push(hub, classifier(), "alice/secret", private=True)
    pull(hub, "alice/secret", token=TOKEN)
    refusal(ModelNotFoundError, hub, "alice/secret")
    refusal(ModelNotFoundError, hub, "alice/secret", revision=hub.repositories["alice/secret"].branches["main"])
    assert "refuses alice/secret: Invalid credentials" in refusal(DownloadError, hub, "alice/secret", token="hf_wrong")  # noqa: S106


def test_a_deleted_repository_is_gone_though_it_is_in_the_cache(hub: FakeHub) -> None:
    push(hub, classifier())
    pull(hub)
    del hub.repositories["alice/pets"]
    refusal(ModelNotFoundError, hub)


@pytest.mark.parametrize("token", [None, "hf_wrong"])
def test_who_may_not_write_is_told_so(hub: FakeHub, token: str | None) -> None:
    with pytest.raises(UsageError, match=rf"{hub.url} does not let you write alice/pets \(.+\); give a token that may"):
        classifier().push_to_hub("alice/pets", endpoint=hub.url, token=token)
    assert not hub.repositories


@pytest.mark.parametrize("name", ["a/b/c", "a--b/c", "alice/ünsere", "", "alice/", "../etc"])
def test_an_impossible_repository_id(hub: FakeHub, name: str) -> None:
    with pytest.raises(UsageError, match="is no repository id"):
        push(hub, classifier(), name)


# ---------------------------------------------------------------- hubs that do not answer


@pytest.fixture
def unused_address() -> Iterator[str]:
    """Nobody listens there, and nobody else will: the port is kept."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{kept.getsockname()[1]}"


def test_a_hub_that_is_down_is_named(unused_address: str) -> None:
    down = FakeHub(unused_address)
    message = refusal(DownloadError, down)
    assert f"not in the cache, and {down.url} does not answer" in message
    with pytest.raises(DownloadError, match=f"could not be pushed to {down.url}"):
        push(down, classifier())


def test_a_hub_that_went_down_is_no_hindrance_to_what_is_in_the_cache() -> None:
    with fake_hub() as hub:
        model = classifier()
        push(hub, model)
        pull(hub)
        commit = hub.repositories["alice/pets"].branches["main"]
    for options in ({}, {"revision": "main"}, {"revision": commit}, {"local_files_only": True}):
        assert torch.equal(answers(pull(hub, **options)), answers(model))


def test_without_network_by_wish(hub: FakeHub) -> None:
    push(hub, classifier())
    hub.requests.clear()
    assert "the network was not to be used" in refusal(DownloadError, hub, local_files_only=True)
    assert not hub.requests


def test_a_hub_with_trouble_of_its_own_gives_way_to_the_cache(hub: FakeHub) -> None:
    push(hub, classifier())
    pull(hub)
    hub.answers["/"] = (500, b"oops")
    assert pull(hub).config.backbone == SMALL
    assert "does not answer (Server error '500" in refusal(DownloadError, hub, "alice/other")


@pytest.mark.parametrize(
    "answer",
    [(200, b"<html>Welcome</html>"), (200, b"{}"), (200, b"[]"), (200, b""), (404, b"<html>"), (403, b""), (302, b"")],
)
def test_what_is_no_hub_is_one_line(hub: FakeHub, answer: tuple[int, bytes]) -> None:
    hub.answers["/"] = answer
    assert hub.url in refusal(DownloadError, hub)
    with pytest.raises(TarsError) as caught:
        push(hub, classifier())
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("endpoint", ["127.0.0.1:9", "ftp://127.0.0.1:9", "http://", "nonsense", "http://[::1"])
def test_an_impossible_address_is_one_line(endpoint: str) -> None:
    assert endpoint in refusal(DownloadError, FakeHub(endpoint))


@pytest.mark.parametrize("route", ["/api/models/alice/pets/tree", "/alice/pets/resolve"])
def test_a_hub_that_breaks_off_in_the_middle_is_one_line(hub: FakeHub, route: str) -> None:
    push(hub, classifier())
    hub.answers[route] = (404, b"gone")
    assert "alice/pets" in refusal(DownloadError, hub)


def test_the_network_outside_is_blocked_in_tests_and_the_message_is_ours() -> None:
    message = refusal(DownloadError, FakeHub("https://huggingface.co"))
    assert "tests may not use the network, and this one asked for huggingface.co" in message


# ---------------------------------------------------------------- what is a repository id


@pytest.mark.parametrize(
    "source",
    ["a/b/c", "./model", "/model", "../model", "~/model", "a b", "a\\b", "ünsere/x", "-x", "a/", "https://x/y", "a\0b"],
)
def test_what_is_neither_folder_nor_repository_asks_no_hub(hub: FakeHub, source: str) -> None:
    with pytest.raises(ModelNotFoundError, match="no such model folder; give a folder or a repository id"):
        model_folder(source, endpoint=hub.url)
    assert not hub.requests


def test_a_path_object_is_never_a_repository(hub: FakeHub) -> None:
    with pytest.raises(ModelNotFoundError, match="no such model folder"):
        model_folder(Path("alice/pets"), endpoint=hub.url)
    assert not hub.requests


def test_a_folder_of_the_same_name_goes_first(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "alice" / "pets").mkdir(parents=True)
    assert model_folder("alice/pets", endpoint=hub.url) == Path("alice/pets")
    assert not hub.requests


def test_without_an_address_it_is_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert remote._address(None) == "http://127.0.0.1:9"
    assert remote._address("http://localhost") == "http://localhost"
