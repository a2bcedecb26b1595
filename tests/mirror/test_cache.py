"""`tars mirror` to this machine, `--offline` afterwards, and README's commands as they are printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import skimage.data

from tars_hub import demo
from tars_hub.cli import main
from tars_hub.quiet import cv2
from tests.checkout import ROOT
from tests.digits_folder import write_few_digits
from tests.mirror.pairs import Pair, emptied, staged, start
from tests.small_model import small

Said = pytest.CaptureFixture[str]
# Put before everything else that a process does: whoever asks for a network is written down.
NO_NETWORK = """
import os, socket
def refuse(*given, **_):
    with open(os.environ["NETWORK_LOG"], "a") as log:
        log.write(f"{given}\\n")
    raise OSError("there is no network")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "pets"
    small().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "cat.png"
    cv2.imwrite(str(path), skimage.data.chelsea())
    return path


@pytest.fixture
def hubs(running: Pair, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pair:
    """ann/pets is a model that predicts."""
    emptied(running, monkeypatch, tmp_path)
    monkeypatch.delenv("TARS_MIRROR_TO_TOKEN")  # nothing is sent anywhere
    running.here.create("ann/pets", "ann")
    files = {path.name: path.read_bytes() for path in model.iterdir()}
    running.here.put_large("ann/pets", "ann", "model.safetensors", files.pop("model.safetensors"))
    running.here.put("ann/pets", "ann", {**files, "notes/more.txt": b"more"})
    return running


def mirror(hubs: Pair, *words: str, code: int = 0) -> None:
    assert main(["mirror", *words, "--from", hubs.source.url]) == code


def without_network(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `tars …` in a process that has none; it must not even ask for one."""
    (home / "site").mkdir(exist_ok=True)
    (home / "site" / "sitecustomize.py").write_text(NO_NETWORK)
    log = home / "asked"
    process = start(home, *words, environment={"PYTHONPATH": str(home / "site"), "NETWORK_LOG": str(log)})
    out, err = process.communicate(timeout=300)
    assert not log.exists(), log.read_text()
    return subprocess.CompletedProcess(words, process.returncode, out, err)


class TestOffline:
    def test_without_a_network_it_answers_as_with_one(
        self, hubs: Pair, model: Path, picture: Path, tmp_path: Path, capsys: Said
    ) -> None:
        mirror(hubs, "ann/pets")
        assert not staged(tmp_path)
        assert main(["predict", str(model), str(picture)]) == 0
        expected = capsys.readouterr().out.splitlines()[-1]
        done = without_network(tmp_path, "predict", "ann/pets", str(picture), "--offline")
        assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, [expected], "")

    def test_the_guard_would_tell(self, tmp_path: Path) -> None:
        with pytest.raises(AssertionError, match=r"huggingface\.co"):
            without_network(tmp_path, "mirror", "ann/pets")

    def test_all_files_are_there_for_other_programs(self, hubs: Pair, tmp_path: Path) -> None:
        mirror(hubs, "ann/pets")
        [more] = (tmp_path / "hub").rglob("snapshots/*/notes/more.txt")
        assert more.read_bytes() == b"more"

    def test_what_is_not_here_is_one_line_that_says_how_to_fetch_it(
        self, hubs: Pair, picture: Path, capsys: Said
    ) -> None:
        for flags, name in (([], "ann/pets"), (["--revision", "v1"], "ann/pets@v1")):
            assert main(["predict", "ann/pets", str(picture), "--offline", *flags]) == 2
            said = capsys.readouterr()
            expected = f"{name} is not here, and the network was not to be used; `tars mirror {name}` fetches it"
            assert (said.out, said.err) == ("", f"tars: {expected}\n")
        assert not hubs.source.asked

    def test_a_tag_and_a_commit_are_found_by_their_names(self, hubs: Pair, picture: Path) -> None:
        assert hubs.here.ask("POST", "/api/models/ann/pets/tag/main", "ann", json={"tag": "v1"}).status_code < 300
        sha = hubs.here.get("/api/models/ann/pets", "ann").json()["sha"]
        mirror(hubs, "ann/pets@v1", f"ann/pets@{sha}")
        for revision in ("v1", sha):
            assert main(["predict", "ann/pets", str(picture), "--offline", "--revision", revision]) == 0
        assert main(["predict", "ann/pets", str(picture), "--offline"]) == 2  # main was not asked for

    def test_a_hub_s_address_beside_it_makes_no_sense(self, capsys: Said) -> None:
        assert main(["predict", "ann/pets", "x.png", "--offline", "--endpoint", "http://127.0.0.1"]) == 2
        assert "--endpoint" in capsys.readouterr().err

    def test_the_other_commands_know_it_too(
        self, hubs: Pair, tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        served: list[str] = []
        monkeypatch.setattr(demo, "_serve", lambda options, name, build, say: served.append(name))  # noqa: ARG005
        digits = str(write_few_digits(tmp_path / "digits", digits="01", train=1, val=1))
        commands = [["evaluate", "ann/pets", digits], ["compare", "ann/pets", "ann/pets", digits]]
        for command in (*commands, ["demo", "--model", "ann/pets"]):
            assert main([*command, "--offline"]) == 2
            assert "`tars mirror ann/pets` fetches it" in capsys.readouterr().err
        mirror(hubs, "ann/pets")
        hubs.source.heal()
        for command in commands:
            assert main([*command, "--offline"]) == 2
            assert "class" in capsys.readouterr().err  # loaded: it knows no digits
        assert main(["demo", "--model", "ann/pets", "--offline"]) == 0
        assert served == ["ann/pets"]
        assert not hubs.source.asked


class TestTheCache:
    def test_the_second_time_nothing_moves(self, hubs: Pair, capsys: Said) -> None:
        mirror(hubs, "ann/pets")
        hubs.source.heal()
        capsys.readouterr()
        mirror(hubs, "ann/pets")
        assert "up to date" in capsys.readouterr().out
        assert not hubs.source.files()

    def test_only_what_changed_moves(self, hubs: Pair, tmp_path: Path) -> None:
        mirror(hubs, "ann/pets")
        sha = hubs.here.put("ann/pets", "ann", {"notes/more.txt": b"other"})
        hubs.source.heal()
        mirror(hubs, "ann/pets")
        assert hubs.source.moved == len(b"other")
        [ref] = (tmp_path / "hub").rglob("refs/main")
        assert ref.read_text() == sha

    def test_what_the_client_fetched_by_itself_does_not_move_again(self, hubs: Pair, picture: Path) -> None:
        assert main(["predict", "ann/pets", str(picture), "--endpoint", hubs.here.url]) == 0
        mirror(hubs, "ann/pets")
        assert not [each for each in hubs.source.files() if each.path.endswith("model.safetensors")]

    def test_broken_off_it_goes_on_and_until_then_the_last_one_is_found(
        self, hubs: Pair, picture: Path, capsys: Said
    ) -> None:
        mirror(hubs, "ann/pets")
        hubs.here.put_large("ann/pets", "ann", "more.safetensors", os.urandom(1_000_000))
        hubs.source.heal()
        hubs.source.left = 400_000
        mirror(hubs, "ann/pets", code=2)
        assert "goes on where this one stopped" in capsys.readouterr().err
        assert main(["predict", "ann/pets", str(picture), "--offline"]) == 0
        hubs.source.heal()
        mirror(hubs, "ann/pets")
        assert [each.headers.get("range") for each in hubs.source.files()] == ["bytes=400000-"]
        assert hubs.source.moved == 600_000

    def test_a_private_one_by_its_own_token(self, hubs: Pair, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
        monkeypatch.setenv("HF_TOKEN", hubs.here.tokens["ann"])  # huggingface.co's, it must be taken to be
        hubs.make("ann/secret", private=True, size=1000)
        mirror(hubs, "ann/secret", code=2)
        assert "wants a token, which TARS_MIRROR_FROM_TOKEN may hold" in capsys.readouterr().err
        assert {each.token for each in hubs.source.asked} == {""}
        monkeypatch.setenv("TARS_MIRROR_FROM_TOKEN", hubs.here.tokens["ann"])
        mirror(hubs, "ann/secret")


def test_readme_s_commands_work_as_printed(hubs: Pair, model: Path, picture: Path, tmp_path: Path) -> None:
    """With the addresses of the hubs at hand, and ann in the owner's place."""
    hubs.there.create("ann/flowers", "ann", private=True)
    files = {path.name: path.read_bytes() for path in model.iterdir()}
    hubs.there.put_large("ann/flowers", "ann", "model.safetensors", files.pop("model.safetensors"))
    hubs.there.put("ann/flowers", "ann", files)
    section = (
        (ROOT / "README.md").read_text(encoding="utf-8").split("### Copies")[1].split("```sh\n")[1].split("```")[0]
    )
    places = {
        "python -m tars_hub": f"{sys.executable} -m tars_hub",
        "https://huggingface.co": hubs.source.url,
        "http://127.0.0.1:7860": hubs.target.url,
        "timm/resnet18.a1_in1k": "ann/pets",
        "owner": "ann",
        "PICTURES": str(picture),
    }
    commands = re.sub("|".join(map(re.escape, places)), lambda found: places[found[0]], section)
    assert commands.count("tars_hub mirror") == 2
    variables = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": hubs.target.url, "HF_TOKEN": hubs.there.tokens["ann"]}
    environment = {**os.environ, **variables, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-ec", commands], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"cat\.png\t.*%\n$", done.stdout)
    assert hubs.there.get("/api/models/ann/pets", "ann").status_code == 200


def test_help_needs_nothing_heavy() -> None:
    code = "import sys; from tars_hub.cli import main\ntry: main(['mirror', '--help'])\nexcept SystemExit: pass\n"
    code += "assert not {'torch', 'cv2', 'numpy', 'tqdm', 'huggingface_hub'} & set(sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    assert "TARS_MIRROR_TO_TOKEN" in said
