"""The first start, and the next ones."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from tars_hub.errors import UsageError
from tars_hub.server.blobs.interface import Key
from tars_hub.server.errors import UnauthorizedError, UnprocessableError
from tars_hub.server.rules.accounts import add_user
from tars_hub.server.rules.tokens import caller_of, create_token
from tars_hub.server.settings import Settings
from tars_hub.server.start import first_owner, opened, owner_token

DAY_S = 86400


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "deep" / "hub")


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestFirstOwner:
    def test_there_is_one_and_the_token_works(self, settings: Settings) -> None:
        with opened(settings) as hub:
            token = first_owner(hub, "ann")
            assert token == owner_token(settings)
            caller = caller_of(hub, token)
            assert caller.name == "ann"
            assert caller.token is not None
            assert caller.token.role == "write"
        with opened(settings) as hub:
            assert first_owner(hub, "somebody-else") is None
            assert [user.name for user in hub.catalog.accounts.users()] == ["ann"]
            assert caller_of(hub, owner_token(settings)).name == "ann"

    def test_nobody_else_can_read_any_of_it(self, settings: Settings) -> None:
        before = os.umask(0)
        try:
            with opened(settings, serving=True) as hub:
                first_owner(hub)
                with hub.blobs.writing() as writing:
                    writing.write(b"x")
                    writing.seal(Key("file", "a" * 64))
        finally:
            os.umask(before)
        assert _mode(settings.data) == 0o700
        assert _mode(settings.data / "owner-token") == 0o600
        files = [path for path in settings.data.rglob("*") if path.is_file()]
        assert len(files) >= 4
        assert {str(path.relative_to(settings.data)): oct(_mode(path)) for path in files if _mode(path) & 0o077} == {}

    def test_texts_of_tokens_are_kept_nowhere_but_in_that_file(self, settings: Settings) -> None:
        with opened(settings) as hub:
            first = first_owner(hub)
            assert first
            texts = [first, create_token(hub, "owner", role="read"), create_token(hub, "owner", role="write")]
            for text in texts:
                caller_of(hub, text)
            for path in settings.data.rglob("*"):  # while it runs: the log of the database too
                if path.is_file() and path.name != "owner-token":
                    assert not [text for text in texts if text[3:].encode() in path.read_bytes()], path

    def test_tokens_differ_and_are_long(self, settings: Settings) -> None:
        with opened(settings) as hub:
            first_owner(hub)
            texts = {create_token(hub, "owner", role="read") for _ in range(20)}
        assert len(texts) == 20
        assert {len(text) for text in texts} == {43}
        assert all(text.startswith("hf_") for text in texts)  # clients look for it where they must not log it

    @pytest.mark.parametrize("text", ["", "hf_", "hf_" + "a" * 40, "\ud800", "é", "a" * 100_000])
    def test_a_token_of_nobody(self, settings: Settings, text: str) -> None:
        with opened(settings) as hub:
            first_owner(hub)
            with pytest.raises(UnauthorizedError, match=r"^Invalid credentials in Authorization header$"):
                caller_of(hub, text)

    @pytest.mark.parametrize("text", [None, b"", b"\xff\xfe"])
    def test_the_file_may_be_gone(self, settings: Settings, text: bytes | None) -> None:
        with opened(settings) as hub:
            first_owner(hub)
        (settings.data / "owner-token").unlink()
        if text is not None:
            (settings.data / "owner-token").write_bytes(text)
        assert not owner_token(settings)

    def test_a_user_without_a_token_is_no_first_start_done(self, settings: Settings) -> None:
        with opened(settings) as hub:
            add_user(hub, "Ann")
            add_user(hub, "bob")
            token = first_owner(hub, "ann")
            assert caller_of(hub, token).name == "Ann"
            assert token == owner_token(settings)
            assert [user.name for user in hub.catalog.accounts.users()] == ["Ann", "bob"]
            assert first_owner(hub, "ann") is None

    @pytest.mark.parametrize("where", ["fsync", "replace", "catalogue"])
    def test_a_start_that_dies_on_its_way_is_made_good_by_the_next(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch, where: str
    ) -> None:
        class Killed(BaseException):
            pass

        def killed(*_: object, **__: object) -> None:
            raise Killed

        with opened(settings) as hub:
            with monkeypatch.context() as patch:
                if where == "catalogue":
                    patch.setattr(hub.catalog.accounts, "add_first", killed)
                else:
                    patch.setattr(*((os, "fsync") if where == "fsync" else (Path, "replace")), killed)
                with pytest.raises(Killed):
                    first_owner(hub)
            assert hub.catalog.accounts.users() == []
            assert not hub.catalog.accounts.has_tokens()
            assert (owner_token(settings) is not None) == (where == "catalogue")
        with opened(settings) as hub:
            token = first_owner(hub)
            assert token == owner_token(settings)
            assert caller_of(hub, token).name == "owner"
        assert [path.name for path in settings.data.glob("owner*")] == ["owner-token"]

    def test_the_file_is_there_before_the_catalogue_knows(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with opened(settings) as hub:
            seen: list[str | None] = []
            add = hub.catalog.accounts.add_first
            monkeypatch.setattr(
                hub.catalog.accounts,
                "add_first",
                lambda *args, **named: (seen.append(owner_token(settings)), add(*args, **named))[1],
            )
            assert [first_owner(hub)] == seen

    def test_a_name_that_will_not_do_leaves_nothing(self, settings: Settings) -> None:
        with opened(settings) as hub:
            with pytest.raises(UnprocessableError):
                first_owner(hub, "api")
            assert owner_token(settings) is None
            assert first_owner(hub, "ann")


class TestOpened:
    def test_one_server_a_folder(self, settings: Settings) -> None:
        with opened(settings, serving=True):
            with pytest.raises(UsageError, match="another process serves"), opened(settings, serving=True):
                pass
            with opened(settings) as beside:  # `tars hub check` and the like
                assert beside.catalog.accounts.users() == []
        with opened(settings, serving=True):
            pass

    def test_the_hub_stays_the_same(self, settings: Settings, tmp_path: Path) -> None:
        with opened(settings) as hub:
            instance, secret, text = hub.catalog.instance, hub.catalog.secret, hub.signer.sign("p", 1)
        with opened(settings) as again:
            assert (again.catalog.instance, again.catalog.secret) == (instance, secret)
            assert again.signer.read("p", text, max_age_s=60) == 1
        with opened(Settings(data=tmp_path / "other")) as other:
            assert other.catalog.instance != instance
            assert other.catalog.secret != secret

    @pytest.mark.parametrize("name", ["what?x=1", "a#b", "50% off", "é", "a b"])
    def test_any_name_of_a_folder(self, tmp_path: Path, name: str) -> None:
        with opened(Settings(data=tmp_path / name)) as hub:
            first_owner(hub)
        assert (tmp_path / name / "catalog.sqlite").stat().st_size > 0
        assert [path.name for path in tmp_path.iterdir()] == [name]

    def test_a_file_is_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        (tmp_path / "half").mkdir()
        (tmp_path / "half" / "blobs").write_text("x")
        for data in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / "half"):
            with pytest.raises(UsageError, match="cannot hold a hub"), opened(Settings(data=data), serving=True):
                pass

    def test_what_dead_uploads_left_is_swept_by_the_server_alone(self, settings: Settings) -> None:
        old, new, kept = Key("part", "a" * 64), Key("part", "b" * 64), Key("file", "c" * 64)
        with opened(settings) as hub:
            for key in (old, new, kept):
                with hub.blobs.writing() as writing:
                    writing.write(b"x")
                    writing.seal(key)
        incoming = settings.data / "blobs" / "incoming"
        (incoming / "left").write_bytes(b"x")
        long_ago = time.time() - 3 * DAY_S
        for path in settings.data.rglob("[ac]" * 64):
            os.utime(path, (long_ago, long_ago))
        with opened(settings) as hub:
            assert (incoming / "left").exists()
            assert hub.blobs.size(old) == 1
        with opened(settings, serving=True) as hub:
            assert list(incoming.iterdir()) == []
            assert [hub.blobs.size(key) for key in (old, new, kept)] == [None, 1, 1]
