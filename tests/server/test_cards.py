"""Front matter that strangers wrote is read as plain data or refused; cards are checked as huggingface.co does."""

from __future__ import annotations

import importlib.util
import json
import sys
from types import ModuleType
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard, ModelCardData
from huggingface_hub.repocard_data import model_index_to_eval_results

from tars_hub.card import Measured, write_card
from tars_hub.config import ModelConfig
from tars_hub.server import cards
from tars_hub.server import front_matter as reading
from tars_hub.server.cards import check_card, model_index
from tars_hub.server.front_matter import CardError, front_matter

RESULT = {
    "task": {"type": "image-classification"},
    "dataset": {"type": "imagefolder", "name": "digits"},
    "metrics": [{"type": "accuracy", "value": 0.9}],
}
ENTRY = {"name": "net", "results": [RESULT]}


def framed(block: str) -> str:
    return f"---\n{block}\n---\n\n# A model\n"


def with_index(index: object) -> str:
    return framed(yaml.safe_dump({"model-index": index}))


def changed(**fields: Any) -> list[dict[str, Any]]:
    return [{"name": "net", "results": [{**RESULT, **fields}]}]


def without_libyaml(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The same file as PyYAML without its C part would have it."""
    monkeypatch.delattr(yaml, "CSafeLoader")
    spec = importlib.util.spec_from_file_location("cards_in_python", str(reading.__file__))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "cards_in_python", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "text",
    [
        "---\na: b\n---\n# x",
        "---\r\na: b\r\n---\r\n# x",
        "\ufeff---\na: b\n---",
        "\n\n  ---\na: b\n---  \n",
        "---\na: b\n---\n" + "x\n" * (1 << 20),
    ],
    ids=["unix", "windows", "bom", "space", "long-text"],
)
def test_front_matter_is_found(text: str) -> None:
    assert front_matter(text) == {"a": "b"}


@pytest.mark.parametrize(
    "text", ["", "# x", "# x\n---\na: b\n---\n", "---\na: b\n", "---\n---\n", "---\n# note\n---\n"]
)
def test_where_there_is_none_there_is_nothing(text: str) -> None:
    assert front_matter(text) == {}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2020-01-02", "2020-01-02"),
        ("2001-12-14 21:59:43 -5", "2001-12-14T21:59:43-05:00"),
        ("2001-99-99", "2001-99-99"),
        ("!!timestamp then", "then"),
        (".nan", ".nan"),
        ("-.inf", "-.inf"),
        ("1.0e+999", "1.0e+999"),
        ("9" * 5000, "9" * 5000),
        ("0x" + "f" * 5000, "0x" + "f" * 5000),
        ("no", "no"),
        ("True", True),
        ("~", None),
        ("", None),
        ("1:30", "1:30"),
        ("0x1F", 31),
        ("-7", -7),
        ("0.987654", 0.987654),
        ("=", "="),
        ("<<", "<<"),
        (r'"a\0b"', "a\ufffdb"),
        ("!!int ''", ""),
        ("!!bool perhaps", "perhaps"),
        ("{1: x, true: y, ~: z, 2020-01-02: d}", {"1": "x", "true": "y", "~": "z", "2020-01-02": "d"}),
        ("{<<: {x: 1, y: 2}, y: 3}", {"x": 1, "y": 3}),
        ("{x: 1, x: 2}", {"x": 2}),
        ("[&a {x: 1}, *a]", [{"x": 1}, {"x": 1}]),
    ],
)
def test_every_value_is_one_that_json_can_say(written: str, read: object, monkeypatch: pytest.MonkeyPatch) -> None:
    found = front_matter(framed(f"a: {written}"))
    assert found == {"a": read}
    assert json.loads(json.dumps(found, allow_nan=False).encode("utf-8")) == found
    assert without_libyaml(monkeypatch).front_matter(framed(f"a: {written}")) == found


LAUGHS = "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))])
MERGED = "\n".join(["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9))])
CHAIN = "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 60))])
HOSTILE = {
    "laughs": (LAUGHS, "over 100000 values"),
    "merged laughs": (MERGED, "over 100000 values"),
    "many": (f"a: [{'1,' * 200_000}]", "over 100000 values"),
    "one long text, often": (f"a: &a {'x' * 100_000}\nb: [{'*a,' * 20}]", "1048576 characters"),
    "one long text in a list, often": (f"a: &a [{'x' * 100_000}]\nb: [{'*a,' * 20}]", "1048576 characters"),
    "too long": ("a: " + "x" * (1 << 20), "has 1048579 characters"),
    "deep lists": (f"a: {'[' * 100_000}", "nested more than 32 deep"),
    "deep mappings": ("{a: " * 100_000, "nested more than 32 deep"),
    "deep blocks": ("- " * 100_000, "nested more than 32 deep"),
    "deep by aliases": (CHAIN, "nested more than 32 deep"),
    "holds itself": ("a: &a [*a]", "*a stands for nothing, or for what holds it"),
    "merges itself": ("a: &a {<<: *a}", "*a stands for nothing, or for what holds it"),
    "holds its name again": ("a: &a 1\nb: &a [*a]", "*a stands for nothing, or for what holds it"),
    "code": ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
    "bytes": ("a: !!binary aGk=", "could not determine a constructor"),
    "a set": ("a: !!set {x}", "could not determine a constructor"),
    "a list for a key": ("? [a]\n: b", "a key is a list or a mapping in line 2"),
    "no mapping": ("a: !!map b", "marked as a mapping is none in line 2"),
    "no list": ("a: !!seq b", "marked as a list is none in line 2"),
    "no text": ("a: !!str [b]", "expected a scalar node"),
    "a bell": ("a: \x07", "characters that YAML does not take"),
    "half a character": ("a: \ud800", "characters that YAML does not take"),
    "two colons": ("x: 1\na: b: c", "mapping values are not allowed"),
    "two documents": ("a: 1\n--- #\nb: 2", "in line 3"),
    "a long tag": (f"a: !{'x' * 100_000} b", "could not determine"),
    "a text": ("hello", "is one value; it must be fields"),
    "a list": ("- a", "is a list; it must be fields"),
}


@pytest.mark.parametrize(("block", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_what_cannot_be_read_is_refused_in_one_line(block: str, reason: str) -> None:
    with pytest.raises(CardError) as refused:
        front_matter(framed(block))
    assert reason in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("block", [block for block, _ in HOSTILE.values() if block != HOSTILE["many"][0]])
def test_without_libyaml_the_same_is_refused(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = without_libyaml(monkeypatch)
    with pytest.raises(module.CardError):
        module.front_matter(framed(block))


def test_cards_that_others_write_are_good() -> None:
    config = ModelConfig(backbone="resnet18", classes=("cat", "dog"))
    ours = write_card(config, Measured(accuracy=0.9, pictures=9, dataset="d", split="val"), base_model="timm/resnet18")
    timm = framed("tags:\n- image-classification\n- timm\nlibrary_name: timm\nlicense: apache-2.0\nlanguage: no")
    mixin = str(ModelCard.from_template(ModelCardData(tags=["model_hub_mixin"], license=["mit", "other"])))
    trainer = framed("license: mit\nbase_model: a/b\nmodel-index:\n- name: out\n  results: []")
    for card in (ours, timm, mixin, trainer):
        assert check_card(card) == cards.CardCheck(errors=(), warnings=())


@pytest.mark.parametrize("text", ["", "# x", "---\n\n---\n"])
def test_a_card_without_fields_is_only_strange(text: str) -> None:
    checked = check_card(text)
    assert checked.errors == ()
    assert checked.warnings == ("empty or missing yaml metadata in repo card",)


@pytest.mark.parametrize(
    ("block", "error"),
    [
        ("license: MIT", '"license" must be one of [apache-2.0, mit, '),
        ("license: [mit, mine]", '"license[1]" must be one of ['),
        ("license: {a: b}", '"license" must be one of ['),
        ("tags: {a: b}", '"tags" must be a string or an array of strings'),
        ("tags: [a, 2024]", '"tags[1]" must be a string'),
        ("language: [[en]]", '"language[0]" must be a string'),
        ("pipeline_tag: [a]", '"pipeline_tag" must be a string'),
        ("library_name: 3", '"library_name" must be a string'),
        ("a: [", "the front matter of README.md is not good YAML"),
    ],
)
def test_a_wrong_card_is_told_what_is_wrong(block: str, error: str) -> None:
    checked = check_card(framed(block))
    assert len(checked.errors) == 1
    assert checked.errors[0].startswith(error)
    assert checked.warnings == ()


BAD_INDEXES = [
    ("text", '"model-index" must be an array'),
    (["text"], '"model-index[0]" must be an object'),
    ([{"results": []}], '"model-index[0].name" is required'),
    ([{"name": "net"}], '"model-index[0].results" must be an array'),
    ([{"name": "net", "results": ["x"]}], '"model-index[0].results[0]" must be an object'),
    (changed(task=None), '"model-index[0].results[0].task" is required'),
    (changed(task="x"), '"model-index[0].results[0].task" must be an object'),
    (changed(task={}), '"model-index[0].results[0].task.type" is required'),
    (changed(dataset={"type": "x"}), '"model-index[0].results[0].dataset.name" is required'),
    (changed(dataset={"type": 1, "name": "x"}), '"model-index[0].results[0].dataset.type" must be a string'),
    (changed(metrics=None), '"model-index[0].results[0].metrics" must be an array'),
    (changed(metrics=["x"]), '"model-index[0].results[0].metrics[0]" must be an object'),
    (changed(metrics=[{"type": "x"}]), '"model-index[0].results[0].metrics[0].value" is required'),
    (changed(source="x"), '"model-index[0].results[0].source" must be an object'),
    (changed(source={"name": "x"}), '"model-index[0].results[0].source.url" is required'),
]


@pytest.mark.parametrize(("index", "error"), BAD_INDEXES, ids=[error for _, error in BAD_INDEXES])
def test_results_that_the_client_cannot_read_are_refused_and_left_out(index: Any, error: str) -> None:
    assert check_card(with_index(index)).errors == (error,)
    assert model_index({"model-index": index}) == ()
    good = [*index, ENTRY] if isinstance(index, list) else [ENTRY]
    left = list(model_index({"model-index": good}))
    assert left == [ENTRY]
    assert model_index_to_eval_results(left)[1][0].metric_value == 0.9


def test_errors_are_counted() -> None:
    assert len(check_card(framed(f"tags: [{'1,' * 5000}]")).errors) == cards.MAX_ERRORS
