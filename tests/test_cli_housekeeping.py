"""`tars hub gc` and `stats`: what they print and return."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tars_hub.cli import main
from tars_hub.server.start import locked
from tests.checkout import ROOT
from tests.server.tidying import attic, packed

Said = pytest.CaptureFixture[str]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A hub with 23 repositories, of which one has left something behind."""
    folder = tmp_path / "hub"
    with attic(folder) as here:
        for number in range(22):
            here.running.create(f"ann/m{number}", "ann")
        here.branch("side")
        here.put_xet(packed(1), to="side")
        here.put("a", "kept")
        here.drop("side")
    return folder


def run(capsys: Said, *words: str) -> list[str]:
    assert main(["hub", *words]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    return said.out.splitlines()


def test_it_says_what_it_freed(data: Path, capsys: Said) -> None:
    kept, freed = "kept 29,524 bytes in 1 blobs for the grace of 30 days", "29,524 bytes in 1 blobs, and 8 rows"
    first, second, third = run(capsys, "gc", "--data", str(data))
    assert (first, second) == ("freed 0 bytes in 0 blobs, and 0 rows of the catalogue", kept)
    assert third.startswith("it took 0.")
    dry = run(capsys, "gc", "--data", str(data), "--grace-days", "0", "--dry-run")[0]
    did = run(capsys, "gc", "--data", str(data), "--grace-days", "0")[0]
    assert (dry, did) == (f"would free {freed} of the catalogue", f"freed {freed} of the catalogue")
    assert run(capsys, "gc", "--data", str(data), "--grace-days", "0.5")[0].startswith("freed 0 bytes")


@pytest.mark.parametrize("days", ["-1", "nan", "inf", "ten", "", "1e9"])
def test_days_that_are_none(data: Path, capsys: Said, days: str) -> None:
    assert main(["hub", "gc", "--data", str(data), "--grace-days", days]) == 2
    assert f"{days!r} is no number of days" in capsys.readouterr().err


def test_two_at_once(data: Path, capsys: Said) -> None:
    with locked(data, "gc.lock", ""):
        assert main(["hub", "gc", "--data", str(data)]) == 2
        assert "another `tars hub gc` is at work" in capsys.readouterr().err
        run(capsys, "stats", "--data", str(data))
    assert main(["hub", "gc", "--data", str(data)]) == 0


def test_no_hub(tmp_path: Path, capsys: Said) -> None:
    for command in ("gc", "stats"):
        assert main(["hub", command, "--data", str(tmp_path)]) == 2
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err.count("no hub's folder") == 2


def test_something_lost(data: Path, capsys: Said) -> None:
    with attic(data.parent / "other") as here:
        here.put("a", "one")
        with here.catalog.database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM trees")
    assert main(["hub", "gc", "--data", str(data.parent / "other")]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("ann/m: tree ")
    assert said[0].endswith("nothing of it was touched, and `tars hub check` says more")
    assert "`tars hub check` says more" in "\n".join(run(capsys, "stats", "--data", str(data.parent / "other")))


def test_stats_for_people(data: Path, capsys: Said) -> None:
    said = run(capsys, "stats", "--data", str(data))
    assert said[0] == "23 repositories, 25 commits, 3 files"
    assert said[1].startswith("48.5 kB in all revisions of all repositories, 1.5 times as much")
    assert said[2] == "31.6 kB on the disk: 2.11 kB as whole files, 29.5 kB as chunks"
    assert said[4] == ("`tars hub gc` would free 0 B now; 29.5 kB more wait for the end of the grace of 30 days")
    assert said[6].split() == ["owner", "alone", "main", "all", "revisions"]
    assert said[7].split() == ["ann", "31.6", "kB", "48.5", "kB", "48.5", "kB", "24"]
    assert said[10].split() == ["ann/m", "29.5", "kB", "2.11", "kB", "2.11", "kB", "2"]
    assert said[-1] == "and 3 more"
    assert len(said) == 9 + 1 + 20 + 1


def test_stats_for_programs(data: Path, capsys: Said) -> None:
    [said] = run(capsys, "stats", "--json", "--data", str(data))
    found = json.loads(said)
    assert len(found["repositories"]) == 23
    assert found["repositories"][0] == {
        "name": "ann/m",
        "main_bytes": 2112,
        "all_bytes": 2112,
        "own_bytes": 29_528,
        "revisions": 2,
    }
    assert found["totals"]["xorb_bytes"] == found["tidied"]["held_bytes"] == 29_524
    assert found["disk_bytes"] == 29_524 + 2112


def test_readme_s_commands(data: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("### Space\n")[1]
    monkeypatch.setenv("TARS_HUB_DATA", str(data))
    commands = [line.split() for line in section.split("```sh\n")[1].split("```")[0].splitlines()]
    assert [command[2] for command in commands] == ["stats", "gc", "gc"]
    for program, _, *words in commands:
        assert program == "tars"
        run(capsys, *words)


@pytest.mark.skipif(sys.platform != "linux", reason="script is another program elsewhere")
def test_a_bar_on_a_terminal_alone(data: Path) -> None:
    command = f"stty cols 100 rows 30; {sys.executable} -m tars_hub hub gc --data {data} --grace-days 0"
    shown = subprocess.run(
        ["script", "-qec", command, "/dev/null"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert "repositories: " in shown.stdout
    assert "freed 29,524 bytes" in shown.stdout
