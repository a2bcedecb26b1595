"""The finished table, in each of its three kinds, as others read it."""

import csv
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tars_hub.answers import parquet
from tars_hub.answers.answered import FileAnswer
from tars_hub.answers.tables import Written, table_for, write_table
from tars_hub.errors import PictureError, UsageError
from tars_hub.predict import Prediction
from tests.answers.fakes import CLASSES

SURE = Prediction(label=CLASSES[2], probability=0.75, top=((CLASSES[2], 0.75), ("cat", 0.25)))
UNSURE = Prediction(label="cat", probability=1 / 3, top=(("cat", 1 / 3), ("dog", 1 / 3)), declined=True)
ANSWERS = [
    FileAnswer('a,"b"\n.png', SURE),
    FileAnswer("\udce9.png", UNSURE),
    FileAnswer("bad.png", PictureError("bad.png", "cut short")),
]


def written(path: Path, answers: list[FileAnswer] = ANSWERS, places: int = 2) -> Written:
    return write_table(table_for(path), path, answers, CLASSES, places)


def test_csv(tmp_path: Path) -> None:
    assert written(tmp_path / "t.CSV") == Written(pictures=3, unread=1)
    with (tmp_path / "t.CSV").open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows == [
        ["filename", "index", "label", "prob", "status", "declined", "label_2", "prob_2"],
        ['a,"b"\n.png', "2", CLASSES[2], "0.750000", "ok", "0", "cat", "0.250000"],
        ["\udce9.png", "0", "cat", "0.333333", "ok", "1", "dog", "0.333333"],
        ["bad.png", "", "", "", "cut short"],
    ]


def test_json_lines(tmp_path: Path) -> None:
    written(tmp_path / "t.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text(encoding="ascii").splitlines()]
    assert rows[0] == {
        "filename": 'a,"b"\n.png',
        "status": "ok",
        "label": CLASSES[2],
        "probability": 0.75,
        "declined": False,
        "top": [[CLASSES[2], 0.75], ["cat", 0.25]],
    }
    assert rows[1]["filename"] == "\udce9.png"
    assert rows[2]["label"] is None


def test_parquet_has_types_and_pandas_reads_it(tmp_path: Path) -> None:
    written(tmp_path / "t.parquet")
    schema = pq.read_schema(tmp_path / "t.parquet")
    kinds = ["string", "int32", "string", "float", "string", "bool", "string", "float"]
    assert [str(kind) for kind in schema.types] == kinds
    assert [field.name for field in schema if not field.nullable] == ["filename", "status"]
    frame = pd.read_parquet(tmp_path / "t.parquet")
    assert list(frame["filename"]) == ['a,"b"\n.png', "\\xe9.png", "bad.png"]
    assert list(frame["label"][:2]) == [CLASSES[2], "cat"]
    assert list(frame["declined"]) == [False, True, None]
    assert frame["prob"][0] == 0.75
    assert math.isnan(frame["prob_2"][2])


def test_parquet_goes_to_the_disk_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_GROUP_ROWS", 2)
    written(tmp_path / "groups.parquet")
    assert pq.ParquetFile(tmp_path / "groups.parquet").metadata.num_row_groups == 2
    monkeypatch.setattr(parquet, "_GROUP_CELLS", 8)  # rows of eight cells: one at a time
    written(tmp_path / "long.parquet")
    assert pq.ParquetFile(tmp_path / "long.parquet").metadata.num_row_groups == 3
    assert pq.read_table(tmp_path / "long.parquet").equals(pq.read_table(tmp_path / "groups.parquet"))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_no_answers_are_a_table_without_rows(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"t.{kind}"
    assert written(path, []) == Written(pictures=0, unread=0)
    assert not pd.read_parquet(path).size if kind == "parquet" else path.read_text().count("\n") <= 1


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_table_appears_whole_or_not_at_all(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"t.{kind}"
    path.write_text("the one before")

    def broken() -> Iterator[FileAnswer]:
        yield from ANSWERS
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        write_table(table_for(path), path, broken(), CLASSES, 2)
    assert caught.value.filename == str(path)
    assert path.read_text() == "the one before"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_probability_that_is_no_number_breaks_no_table(tmp_path: Path, kind: str) -> None:
    lost = Prediction(label="cat", probability=math.nan, top=(("cat", math.nan),))
    path = tmp_path / f"t.{kind}"
    write_table(table_for(path), path, [FileAnswer("a.png", lost)], CLASSES, 1)
    found = {"csv": pd.read_csv, "jsonl": lambda file: pd.read_json(file, lines=True), "parquet": pd.read_parquet}
    assert found[kind](path)["label"][0] == "cat"
    assert kind != "jsonl" or json.loads(path.read_text(), parse_constant=pytest.fail)["probability"] is None


@pytest.mark.parametrize("name", ["t", "t.txt", "t.json", ".csv", "t.csv.gz"])
def test_another_ending_names_the_three(name: str) -> None:
    with pytest.raises(UsageError, match=r"\.csv, \.jsonl, \.parquet"):
        table_for(Path(name))


def test_parquet_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tars_hub.answers.parquet")
    monkeypatch.delattr("tars_hub.answers.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="pip install 'pyarrow"):
        table_for(Path("t.parquet"))


def test_a_column_that_may_be_empty_is_not_read_as_decimals(tmp_path: Path) -> None:
    """Whole numbers stay so beside rows without one."""
    written(tmp_path / "t.parquet")
    assert pq.read_table(tmp_path / "t.parquet").column("index").to_pylist() == [2, 0, None]
    assert pa.types.is_int32(pq.read_schema(tmp_path / "t.parquet").field("index").type)
