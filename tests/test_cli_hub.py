"""`tars hub …`: what its commands print, write and return."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import HfApi

from tars_hub.cli import main
from tars_hub.server.rules.tokens import caller_of
from tars_hub.server.settings import Settings
from tars_hub.server.start import first_owner, opened
from tests.checkout import ROOT
from tests.server.hubs import served
from tests.small_model import CLASSES, small

Said = pytest.CaptureFixture[str]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A hub's folder, as its first start leaves it."""
    with opened(Settings(data=tmp_path / "data")) as hub:
        assert first_owner(hub) is not None
    return tmp_path / "data"


def run_in_shell(commands: str, folder: Path) -> str:
    """Run commands of the stock `hf` and say what they print."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HF_HOME": str(folder / "hf"),
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }
    done = subprocess.run(
        ["sh", "-ec", commands], env=environment, cwd=folder, check=True, capture_output=True, text=True, timeout=300
    )
    return done.stdout


def lines(capsys: Said) -> list[str]:
    said = capsys.readouterr()
    assert said.err == ""
    return said.out.splitlines()


class TestServe:
    def test_the_first_start_says_the_owners_token_once_and_keeps_it_private(self, tmp_path: Path) -> None:
        data = tmp_path / "data"
        with served("--data", str(data), "--owner", "ann") as hub:
            first = hub.said()
        kept = data / "owner-token"
        token = kept.read_text().strip()
        assert kept.stat().st_mode & 0o777 == 0o600
        assert first.count(token) == 1
        assert "owner is ann" in first
        with served("--data", str(data)) as hub:
            assert token not in hub.said()
            assert "hf upload ann/my-model FOLDER" in hub.said()

    def test_it_says_how_to_push(self, tmp_path: Path) -> None:
        with served("--data", str(tmp_path / "our data")) as hub:
            said = hub.said()
        assert f"the hub answers at {hub.url}" in said
        assert f"  export HF_ENDPOINT={hub.url}\n" in said
        assert f"""  export HF_TOKEN="$(cat '{tmp_path}/our data/owner-token')"\n""" in said
        assert "  hf upload owner/my-model FOLDER\n" in said

    def test_what_it_says_works_as_printed(self, tmp_path: Path) -> None:
        """In a shell, with the stock command line of huggingface_hub."""
        (tmp_path / "FOLDER").mkdir()
        (tmp_path / "FOLDER" / "config.json").write_text('{"a": 1}')
        with served("--data", str(tmp_path / "our data")) as hub:
            commands = [line for line in hub.said().splitlines() if line.startswith(("  export ", "  hf "))]
            assert len(commands) == 3
            run_in_shell("\n".join(commands), tmp_path)
            token = (tmp_path / "our data" / "owner-token").read_text().strip()
            kept = hub.get("/owner/my-model/resolve/main/config.json", headers={"Authorization": f"Bearer {token}"})
        assert kept.json() == {"a": 1}

    def test_readme_s_commands_work_as_printed(self, tmp_path: Path) -> None:
        (tmp_path / "checkpoint").mkdir()
        (tmp_path / "checkpoint" / "config.json").write_text('{"a": 1}')
        section = (ROOT / "README.md").read_text(encoding="utf-8").split("## A hub of your own")[1]
        serve, use = (part.split("```")[0] for part in section.split("```sh\n")[1:3])
        assert serve == "python -m tars_hub hub serve --data hub-data\n"
        with served("--data", str(tmp_path / "hub-data")) as hub:
            said = run_in_shell(use.replace("http://127.0.0.1:7860", hub.url), tmp_path)
        [folder] = re.findall(rf"{re.escape(str(tmp_path))}\S*/snapshots/\w+", said)
        assert (Path(folder) / "config.json").read_text() == '{"a": 1}'

    def test_a_public_address_is_the_one_that_is_said(self, tmp_path: Path) -> None:
        with served("--data", str(tmp_path), "--public-url", "https://hub.example.org/") as hub:
            assert "export HF_ENDPOINT=https://hub.example.org\n" in hub.said()

    def test_the_folder_may_be_named_by_the_environment(self, tmp_path: Path) -> None:
        with served(environment={"TARS_HUB_DATA": str(tmp_path / "named")}) as hub:
            assert hub.get("/health").status_code == 200
        assert (tmp_path / "named" / "owner-token").exists()

    def test_asked_to_it_answers_about_pictures(self, tmp_path: Path) -> None:
        data, model = tmp_path / "data", tmp_path / "model"
        small().save_pretrained(model)
        with served("--data", str(data), "--predict") as hub:
            token = (data / "owner-token").read_text().strip()
            HfApi(endpoint=hub.url, token=token).create_repo("owner/m", private=True)
            HfApi(endpoint=hub.url, token=token).upload_folder(repo_id="owner/m", folder_path=model)
            assert "/api/models/{namespace}/{name}/predict" in hub.get("/openapi.json").json()["paths"]
            ask = partial(httpx.post, f"{hub.url}/api/models/owner/m/predict", timeout=60, trust_env=False)
            picture = b"P6 2 2 255 " + bytes(range(12))
            assert ask(content=picture).status_code == 404
            answer = ask(content=picture, headers={"Authorization": f"Bearer {token}"})
            assert answer.json()["label"] in CLASSES
            assert "pictures are answered at /api/models/OWNER/NAME/predict" in hub.said()
            assert "Traceback" not in hub.said()

    def test_two_hubs_do_not_share_a_folder(self, tmp_path: Path, capsys: Said) -> None:
        with served("--data", str(tmp_path)):
            assert main(["hub", "serve", "--data", str(tmp_path), "--port", "0"]) == 2
            assert main(["hub", "user", "add", "bob", "--data", str(tmp_path)]) == 0
        said = capsys.readouterr()
        assert str(tmp_path) in said.err
        assert said.err.count("\n") == 1


class TestAccounts:
    def test_a_token_is_printed_alone_and_reads_unless_told_to_write(self, data: Path, capsys: Said) -> None:
        roles = {}
        for flags in ([], ["--read"], ["--write", "--label", "laptop"]):
            assert main(["hub", "token", "create", "owner", *flags, "--data", str(data)]) == 0
            (token,) = lines(capsys)
            assert re.fullmatch(r"hf_\w{30,}", token)
            with opened(Settings(data=data)) as hub:
                found = caller_of(hub, token).token
            assert found is not None
            roles[tuple(flags)] = (found.role, found.label)
        assert roles[()][0] == roles["--read",][0] == "read"
        assert roles["--write", "--label", "laptop"] == ("write", "laptop")

    def test_a_user_is_added(self, data: Path, capsys: Said) -> None:
        assert main(["hub", "user", "add", "bob", "--data", str(data)]) == 0
        assert lines(capsys) == ["added bob; `tars hub token create bob --write` lets them push"]
        assert main(["hub", "token", "create", "bob", "--data", str(data)]) == 0

    def test_labels_cannot_write_to_the_terminal(self, data: Path, capsys: Said) -> None:
        assert main(["hub", "token", "create", "owner", "--label", "a\x1b[2Jb", "--data", str(data)]) in {0, 2}
        assert "\x1b" not in "".join(capsys.readouterr())


class TestCheck:
    @pytest.fixture
    def checked(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
        def run(*problems: str) -> int:
            def check(_hub: Any, progress: Callable[[int, int, int], None]) -> Iterator[str]:
                for number in range(12):
                    progress(number + 1, 12, 1000 * (number + 1))
                yield from problems

            monkeypatch.setattr("tars_hub.server.check.check", check)
            return main(["hub", "check", "--data", str(data)])

        return run

    def test_all_well(self, checked: Callable[..., int], capsys: Said) -> None:
        assert checked() == 0
        assert lines(capsys) == ["all 12 are as they should be, 12,000 bytes"]

    def test_each_problem_is_a_line_and_the_exit_code_1(self, checked: Callable[..., int], capsys: Said) -> None:
        assert checked("abc: cut short", "a\x1b[2J/b: changed") == 1
        assert lines(capsys) == ["abc: cut short", "a\\x1b[2J/b: changed", "2 wrong of 12 checked"]

    def test_a_fresh_hub_is_well(self, data: Path) -> None:
        assert main(["hub", "check", "--data", str(data)]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["user"], "COMMAND"),
        (["user", "add", "bob", "--data", "NOWHERE"], "tars hub serve"),
        (["token", "create", "owner", "--data", "NOWHERE"], "tars hub serve"),
        (["check", "--data", "NOWHERE"], "tars hub serve"),
        (["user", "add", "owner", "--data", "DATA"], "owner"),
        (["user", "add", "no/name", "--data", "DATA"], "no/name"),
        (["user", "add", "api", "--data", "DATA"], "api"),
        (["token", "create", "nobody", "--data", "DATA"], "nobody"),
        (["token", "create", "owner", "--read", "--write", "--data", "DATA"], "not allowed with"),
        (["serve", "--data", "DATA", "--port", "65536"], "65536"),
        (["serve", "--data", "DATA", "--port", "-1"], "-1"),
        (["serve", "--data", "DATA", "--port", "0", "--host", "203.0.113.7"], "203.0.113.7"),
        (["serve", "--data", "DATA", "--port", "0", "--public-url", "hub.example.org"], "hub.example.org"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    data: Path, tmp_path: Path, capsys: Said, arguments: list[str], said: str
) -> None:
    places = {"DATA": str(data), "NOWHERE": str(tmp_path / "nowhere")}
    assert main(["hub", *(places.get(word, word) for word in arguments)]) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert found.err.startswith("tars: ")
    assert said in found.err
    assert found.err.count("\n") == 1
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("words", [["user", "add", "bob"], ["token", "create", "owner"], ["check"]])
def test_a_folder_without_a_hub_stays_as_it_is(tmp_path: Path, capsys: Said, words: list[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["hub", *words, "--data", str(tmp_path)]) == 2
    found = capsys.readouterr()
    assert (found.out, found.err.count("\n")) == ("", 1)
    assert "no hub's folder" in found.err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_without_data_it_is_a_folder_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TARS_HUB_DATA", raising=False)
    assert main(["hub", "check"]) == 2
    assert "hub-data: no hub's folder" in capsys.readouterr().err


def test_help_needs_no_server_and_serving_no_torch() -> None:
    code = "import sys; from tars_hub.cli import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    code += "assert not {'uvicorn', 'starlette', 'sqlite3', 'torch', 'huggingface_hub'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code, "hub", "serve", "--help"], check=True, capture_output=True)
    code = "import sys, tars_hub.server.app, tars_hub.server.serve, tars_hub.server.check, tars_hub.server.start\n"
    code += "assert not {'torch', 'cv2', 'gradio', 'huggingface_hub'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
