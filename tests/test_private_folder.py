"""A private folder goes with its owner, however that ends."""

from pathlib import Path

import pytest

from tars_hub.private_folder import private_folder


def test_it_is_private_and_goes(tmp_path: Path) -> None:
    with private_folder("tars-uploads-", tmp_path) as folder:
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "picture.png").write_bytes(b"private")
    assert list(tmp_path.iterdir()) == []


def test_it_goes_after_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(KeyError), private_folder("tars-uploads-", tmp_path):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_the_next_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    left = tmp_path / "tars-uploads-0123"
    left.mkdir()
    (left / "picture.png").write_bytes(b"private")
    left.with_name("tars-uploads-0123.lock").touch()
    with private_folder("tars-uploads-", tmp_path):
        assert not left.exists()
    assert list(tmp_path.iterdir()) == []


def test_that_of_a_living_one_stays(tmp_path: Path) -> None:
    with private_folder("tars-uploads-", tmp_path) as first:
        with private_folder("tars-uploads-", tmp_path) as second:
            assert first.is_dir()
            assert first != second
        assert first.is_dir()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "tars-uploads-link").symlink_to(tmp_path / "elsewhere")
    with private_folder("tars-uploads-", tmp_path):
        assert (tmp_path / "elsewhere").is_dir()
