"""The door to a real hub, with models behind it: who may open which, at which revision, and what they are offered."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote

import pytest

from tars_hub.beside import NearDoor
from tars_hub.card import Measured, write_card
from tars_hub.errors import DownloadError, ModelError, ModelNotFoundError
from tars_hub.exhibits import Credentials, Wanted
from tars_hub.hub_models import HubModels
from tars_hub.server.rules.audience import grant_access
from tars_hub.server.rules.tokens import begin_session, caller_of, end_session, revoke_any
from tests.hub_with_models import NOBODY, ask, by_token, push
from tests.server.running import Site, done
from tests.small_model import CLASSES, SMALL, small

CLOSED = "There is no model ann/secret here, or it is not open to you."
HOPELESS = [
    *("ann", "/", "ann/", "ann/..", "ann/../secret", "ann/x..y", "../api", "ann/secret/resolve"),
    *("ann/secret?x=", "ann/sec ret", "ann/secret\r\nX: y", "ann/secret%2F..", "ann/é", "a" * 300),
    *("ann/animals@..", "ann/animals@.", "ann/animals@a b", "ann/animals@\r\nX: y", f"ann/animals@{'a' * 300}"),
    *("ann/animals@@", "ann/animals@main/../x", "ann/animals@?x", "ann/animals@%2e%2e", "@..", "@\ud800"),
]


@pytest.fixture(params=["by its address", "within this process"])
def models(request: pytest.FixtureRequest, shared: Site) -> HubModels:
    """By either door, which are to say the same."""
    door = shared.url if request.param == "by its address" else NearDoor(shared.hub, shared.url)
    return HubModels(door, "ann/animals", device="cpu")


def commit_of(hub: Site, name: str, revision: str = "main") -> str:
    found = done(hub.get(f"/api/models/{name}/revision/{quote(revision, safe='')}", name.partition("/")[0]))
    return str(found.json()["sha"])


def refusal(models: HubModels, key: str, credentials: Credentials = NOBODY) -> str:
    with pytest.raises(ModelNotFoundError) as caught:
        ask(models, key, credentials)
    return str(caught.value)


class TestWhoMay:
    def test_who_names_none_is_shown_the_default(self, models: HubModels, shared: Site) -> None:
        shown = models.exhibit(Wanted(), NOBODY)
        assert (shown.name, shown.revision, shown.is_default) == ("ann/animals", "main", True)
        assert shown.key == f"ann/animals@{commit_of(shared, 'ann/animals')}"
        assert shown.predictor.config.classes == CLASSES

    def test_a_private_model_is_its_owners_alone(self, models: HubModels, shared: Site) -> None:
        others = [NOBODY, by_token(shared, "bob"), by_token(shared, "nobody"), Credentials(session="nobodys")]
        before = [refusal(models, "ann/secret", who) for who in others]
        shown = ask(models, "ann/secret", by_token(shared, "ann"))
        assert (shown.predictor.config.classes, shown.is_default) == (("x", "y"), False)
        after = [refusal(models, "ann/secret", who) for who in others]
        pinned = [refusal(models, shown.key, who) for who in others]
        assert {*before, *after, *pinned} == {CLOSED}
        assert refusal(models, "ann/nothing", by_token(shared, "bob")) == CLOSED.replace("secret", "nothing")

    def test_a_session_counts_until_it_ends(self, models: HubModels, shared: Site) -> None:
        session, _ = begin_session(shared.hub, shared.tokens["ann:read"])
        assert ask(models, "ann/secret", Credentials(session=session)).name == "ann/secret"
        end_session(shared.hub, session)
        assert refusal(models, "ann/secret", Credentials(session=session)) == CLOSED

    def test_what_turns_private_stops_answering_at_once(self, models: HubModels, shared: Site) -> None:
        key = models.exhibit(Wanted(), NOBODY).key
        done(shared.ask("PUT", "/api/models/ann/animals/settings", "ann", json={"visibility": "private"}))
        sentence = CLOSED.replace("secret", "animals")
        assert (refusal(models, key), refusal(models, "")) == (sentence, sentence)
        assert ask(models, key, by_token(shared, "ann")).key == key

    def test_what_becomes_gated_stops_answering_at_once(self, models: HubModels, shared: Site) -> None:
        key = models.exhibit(Wanted(), NOBODY).key
        done(shared.ask("PUT", "/api/models/ann/animals/settings", "ann", json={"gated": "manual"}))
        assert refusal(models, key, by_token(shared, "bob")) == CLOSED.replace("secret", "animals")

    def test_what_is_deleted_stops_answering_and_no_namesake_brings_it_back(
        self, models: HubModels, shared: Site
    ) -> None:
        key = ask(models, "ann/secret", by_token(shared, "ann")).key
        done(shared.ask("DELETE", "/api/repos/delete", "ann", json={"name": "secret", "organization": "ann"}))
        assert refusal(models, key, by_token(shared, "ann")) == CLOSED
        push(shared, "ann/secret", ("new", "ones"))  # open to all, with none of the old commits
        assert refusal(models, key) == f"ann/secret has no revision {key.partition('@')[2]}."
        assert ask(models, "ann/secret").predictor.config.classes == ("new", "ones")

    def test_what_is_moved_answers_by_its_new_name_alone(self, models: HubModels, shared: Site) -> None:
        key = models.exhibit(Wanted(), NOBODY).key
        moved = {"fromRepo": "ann/animals", "toRepo": "ann/beasts", "type": "model"}
        done(shared.ask("POST", "/api/repos/move", "ann", json=moved))
        assert refusal(models, key) == "ann/animals is called ann/beasts now."
        assert ask(models, "ann/beasts").predictor.config.classes == CLASSES
        done(shared.ask("PUT", "/api/models/ann/beasts/settings", "ann", json={"visibility": "private"}))
        assert refusal(models, key) == CLOSED.replace("secret", "animals")

    def test_anothers_commit_is_not_reached_by_ones_own_name(self, models: HubModels, shared: Site) -> None:
        key = ask(models, "ann/secret", by_token(shared, "ann")).key
        push(shared, "bob/own", ("p", "q"))
        forged = f"bob/own@{key.partition('@')[2]}"
        assert refusal(models, forged, by_token(shared, "bob")).startswith("bob/own has no revision ")

    def test_what_cannot_be_a_name_gets_one_sentence(self, models: HubModels) -> None:
        for key in HOPELESS:
            said = refusal(models, key)
            assert "\n" not in said
            assert len(said) < 400

    def test_credentials_that_cannot_be_sent_are_nobodys(self, models: HubModels, shared: Site) -> None:
        odd = replace(by_token(shared, "a\r\nX-Evil: b"), session="é; x=y")
        assert models.exhibit(Wanted(), odd).name == "ann/animals"
        assert "hf_" not in repr(by_token(shared, "ann"))


class TestRevisions:
    def test_branch_tag_and_commit_open_what_they_stand_for(self, models: HubModels, shared: Site) -> None:
        first = commit_of(shared, "ann/animals")
        done(shared.ask("POST", "/api/models/ann/animals/tag/main", "ann", json={"tag": "v1.0"}))
        done(shared.ask("POST", "/api/models/ann/animals/branch/try%2Fbirds", "ann", json={}))
        second = push(shared, "ann/animals", ("duck", "owl"), to="try/birds")
        assert first != second
        for revision, commit in (("v1.0", first), (first, first), (first[:8], first), ("try/birds", second)):
            shown = models.exhibit(Wanted(revision=revision), NOBODY)
            assert (shown.commit, shown.revision) == (commit, revision)
            assert shown.predictor.config.classes == (CLASSES if commit == first else ("duck", "owl"))

    def test_a_page_keeps_its_commit_when_the_branch_moves(self, models: HubModels, shared: Site) -> None:
        key = models.exhibit(Wanted(), NOBODY).key
        push(shared, "ann/animals", ("duck", "owl"))
        assert ask(models, key).predictor.config.classes == CLASSES
        assert models.exhibit(Wanted(), NOBODY).predictor.config.classes == ("duck", "owl")

    def test_one_that_is_not_there_is_named(self, models: HubModels) -> None:
        assert refusal(models, "ann/animals@v9") == "ann/animals has no revision v9."

    def test_names_count_in_any_case(self, models: HubModels) -> None:
        shown = ask(models, "ANN/Animals")
        assert (shown.name, shown.is_default) == ("ann/animals", True)


class TestOffers:
    """What a picker lists: no name of what a visitor may not open."""

    @pytest.fixture
    def several(self, shared: Site) -> Site:
        push(shared, "ann/gated", ("p", "q"))
        done(shared.ask("PUT", "/api/models/ann/gated/settings", "ann", json={"gated": "manual"}))
        push(shared, "bob/own", ("p", "q", "r", "s"), private=True)
        return shared

    def names(self, models: HubModels, credentials: Credentials = NOBODY, search: str = "") -> set[str]:
        return {offer.model for offer in models.offers(search, credentials)}

    def test_each_sees_what_they_may_open(self, models: HubModels, several: Site) -> None:
        hidden = {"ann/secret", "ann/gated"}
        assert self.names(models) == {"ann/animals"}
        assert self.names(models, by_token(several, "bob")) == {"ann/animals", "bob/own"}
        assert self.names(models, by_token(several, "ann:read")) == {"ann/animals"} | hidden
        for name in self.names(models, by_token(several, "bob")):
            assert ask(models, name, by_token(several, "bob")).name == name
        grant_access(several.hub, several.caller("ann"), "ann/gated", "bob")
        assert self.names(models, by_token(several, "bob")) == {"ann/animals", "bob/own", "ann/gated"}

    def test_a_session_counts_until_it_ends(self, models: HubModels, several: Site) -> None:
        session, _ = begin_session(several.hub, several.tokens["ann:read"])
        ann = Credentials(session=session)
        assert "ann/secret" in self.names(models, ann)
        assert (models.knows(ann), models.revisions("ann/secret", ann)) == (True, ["main"])
        end_session(several.hub, session)
        assert self.names(models, ann) == {"ann/animals"}
        assert not models.knows(ann)
        with pytest.raises(ModelNotFoundError, match=CLOSED):
            models.revisions("ann/secret", ann)

    def test_a_token_that_was_revoked_lists_nothing(self, models: HubModels, several: Site) -> None:
        token = several.token("ann", "read")
        ann = Credentials(token=token)
        assert models.knows(ann)
        known = caller_of(several.hub, token).token
        assert known is not None
        revoke_any(several.hub, known.id)
        with pytest.raises(ModelError, match="does not know your token any more"):
            models.offers("", ann)
        assert not models.knows(ann)
        assert not models.knows(NOBODY)

    def test_it_says_what_a_model_is(self, models: HubModels, several: Site) -> None:
        network = small(tuple("abcdefgh"))
        measured = Measured(accuracy=0.964, pictures=1200, dataset="letters", split="test")
        network.card = write_card(network.config, measured)
        token = several.tokens["ann"]
        network.push_to_hub("ann/letters", endpoint=several.url, token=token, private=True)
        offers = {offer.model: offer for offer in models.offers("LETT", by_token(several, "ann"))}
        assert offers.keys() == {"ann/letters"}
        letters = offers["ann/letters"]
        assert (letters.accuracy, letters.backbone, letters.classes, letters.private) == (0.964, SMALL, 8, True)
        assert letters.updated.startswith("20")
        (animals,) = models.offers("animals", NOBODY)
        assert (animals.accuracy, animals.classes, animals.private) == (None, 3, False)

    def test_what_cannot_be_shown_is_not_offered(self, models: HubModels, several: Site) -> None:
        config = small().config.to_dict()
        for name, files in {
            "ann/bert": {"config.json": b'{"model_type": "bert"}', "model.safetensors": b"x"},
            "ann/pickle": {"config.json": json.dumps(config).encode(), "pytorch_model.bin": b"x"},
            "ann/tagged": {"README.md": b"---\ntags: [tars-hub, safetensors]\n---\n"},
        }.items():
            several.create(name, "ann")
            several.put(name, "ann", dict(files))
        assert self.names(models) == {"ann/animals"}

    def test_strangers_cards_trouble_nobody(self, models: HubModels, several: Site) -> None:
        index = b"- name: x\n  results:\n" + b"".join(
            b"  - {task: {type: t}, dataset: {type: d, name: n}, metrics: [{type: accuracy, value: %s}]}\n" % value
            for value in [b"'0.5'", b".nan", b".inf", b"-1", b"1" + b"0" * 400, b"[0.5]", b"true"] * 500
        )
        several.put("ann/animals", "ann", {"README.md": b"---\nmodel-index:\n" + index + b"---\n"})
        (offer,) = models.offers("", NOBODY)
        assert (offer.model, offer.accuracy) == ("ann/animals", None)

    @pytest.mark.usefixtures("several")
    def test_any_search_is_one(self, models: HubModels) -> None:
        assert self.names(models, search="ANIM") == {"ann/animals"}
        for text in ("%", "_", "ann/secret", "x" * 10_000, "\ud800", "a&limit=9&author=ann", "\r\nX: y", "\x00"):
            assert self.names(models, search=text) <= {"ann/animals"}, text

    def test_a_hub_that_is_silent_is_one_sentence(self) -> None:
        models = HubModels("http://127.0.0.1:9", "ann/animals")
        for look in (lambda: models.offers("", NOBODY), lambda: models.revisions("ann/animals", NOBODY)):
            with pytest.raises(DownloadError, match=r"^The hub does not answer; try again in a moment\.$"):
                look()
        assert not models.knows(Credentials(session="somebodys"))

    def test_revisions_are_branches_and_tags_and_main_is_first(self, models: HubModels, several: Site) -> None:
        done(several.ask("POST", "/api/models/ann/animals/tag/main", "ann", json={"tag": "v1.0"}))
        done(several.ask("POST", "/api/models/ann/animals/branch/a%2Ftry", "ann", json={}))
        assert models.revisions("ann/animals", NOBODY) == ["main", "a/try", "v1.0"]
        for who in (NOBODY, by_token(several, "bob")):
            for name in ("ann/secret", "ann/gated", "ann/nothing", "../x", ""):
                with pytest.raises(ModelNotFoundError, match="or it is not open to you"):
                    models.revisions(name, who)
