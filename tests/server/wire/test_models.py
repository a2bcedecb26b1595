"""What the hub says of models is what the client's own `ModelInfo` is built from, whatever stands in a card."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, get_args

import pytest
from huggingface_hub import ModelCardData
from huggingface_hub.hf_api import ExpandModelProperty_T, ModelInfo
from huggingface_hub.utils.endpoint_helpers import _is_emission_within_threshold

from tars_hub.server.errors import HubError
from tars_hub.server.facts import read_facts
from tars_hub.server.records import Commit, Facts, Repo
from tars_hub.server.wire.models import EXPANDABLE, FileLine, ModelView, model_info, model_line

CREATED = datetime(2026, 1, 2, 3, 4, 5, 6000, tzinfo=timezone.utc)
COMMITTED = datetime(2026, 2, 2, tzinfo=timezone.utc)
UPDATED = datetime(2026, 3, 2, tzinfo=timezone.utc)
RESULTS: list[dict[str, Any]] = [
    {
        "task": {"type": "image-classification"},
        "dataset": {"type": "imagefolder", "name": "digits"},
        "metrics": [{"type": "accuracy", "value": 0.9}],
    }
]
INDEX = {"name": "net", "results": RESULTS}
FACTS = Facts(
    pipeline_tag="image-classification",
    library_name="tars-hub",
    tags=("tars-hub", "safetensors"),
    card={"license": "mit", "base_model": "timm/resnet18", "tags": ["a"], "model-index": [INDEX]},
    model_index=(INDEX,),
    parameters={"F32": 10, "I64": 2},
    config={"backbone": "resnet18"},
)
REPO = Repo(
    id=7,
    namespace="alice",
    name="net",
    private=True,
    gated="manual",
    created_at=CREATED,
    updated_at=UPDATED,
    facts=FACTS,
    downloads=3,
    likes=2,
)
COMMIT = Commit(oid="a" * 40, tree="b" * 40, parents=(), author="alice", at=COMMITTED, message="first")
FILES = (
    FileLine(path="README.md", size=9, oid="c" * 40),
    FileLine(path="model.safetensors", size=5000, oid="d" * 40, sha256="e" * 64, pointer_size=130),
)
VIEW = ModelView(repo=REPO, commit=COMMIT, files=FILES, facts=FACTS, used_bytes=5009)
BARE = ModelView(repo=replace(REPO, gated="", facts=Facts()), facts=Facts())


def received(answer: dict[str, Any]) -> ModelInfo:
    """As the client has it after the wire."""
    return ModelInfo(**json.loads(json.dumps(answer, allow_nan=False)))


def with_card(**card: Any) -> ModelView:
    return replace(VIEW, facts=replace(FACTS, card=card, model_index=()))


def test_the_client_reads_all_of_it() -> None:
    info = received(model_info(VIEW))
    assert (info.id, info.author, info.sha) == ("alice/net", "alice", "a" * 40)
    assert (info.created_at, info.last_modified) == (CREATED, COMMITTED)
    assert (info.private, info.gated, info.disabled) == (True, "manual", False)
    assert (info.downloads, info.likes, info.trending_score, info.used_storage) == (3, 2, 0, 5009)
    assert (info.pipeline_tag, info.library_name) == ("image-classification", "tars-hub")
    assert info.tags == ["tars-hub", "safetensors"]
    assert info.config == {"backbone": "resnet18"}
    assert info.model_index == [INDEX]
    assert info.safetensors == {"parameters": {"F32": 10, "I64": 2}, "total": 12}
    assert info.spaces == []
    assert info.security_repo_status is None


def test_the_client_reads_the_card() -> None:
    card = received(model_info(VIEW)).card_data
    assert isinstance(card, ModelCardData)
    assert (card.license, card.base_model, card.tags, card.model_name) == ("mit", "timm/resnet18", ["a"], "net")
    assert [(one.metric_type, one.metric_value) for one in card.eval_results or []] == [("accuracy", 0.9)]


def test_files_are_named_and_described_when_asked_for() -> None:
    plain = received(model_info(VIEW)).siblings or []
    assert [(one.rfilename, one.size, one.blob_id, one.lfs) for one in plain] == [
        ("README.md", None, None, None),
        ("model.safetensors", None, None, None),
    ]
    small, large = received(model_info(VIEW, blobs=True)).siblings or []
    assert (small.rfilename, small.size, small.blob_id, small.lfs) == ("README.md", 9, "c" * 40, None)
    assert (large.size, large.blob_id) == (5000, "d" * 40)
    assert large.lfs == {"size": 5000, "sha256": "e" * 64, "pointer_size": 130}
    assert "siblings" not in model_info(BARE, blobs=True)


def test_the_id_stays_and_is_no_others() -> None:
    ids = {model_info(replace(VIEW, repo=replace(REPO, id=number)))["_id"] for number in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch("[0-9a-f]{24}", one) for one in ids)
    renamed = replace(VIEW, repo=replace(REPO, name="other"))
    assert model_info(renamed)["_id"] == model_info(VIEW)["_id"]


def test_what_is_not_known_is_left_out() -> None:
    answer = model_info(BARE)
    assert not {"sha", "siblings", "pipeline_tag", "library_name", "safetensors", "usedStorage"} & answer.keys()
    assert answer["model-index"] is None
    info = received(answer)
    assert (info.gated, info.last_modified, info.tags, info.card_data) == (False, UPDATED, [], None)


def test_nobody_has_scanned_anything() -> None:
    status = received(model_info(VIEW, security=True)).security_repo_status
    assert status == {"scansDone": False, "filesWithIssues": []}


@pytest.mark.parametrize("view", [VIEW, BARE], ids=["full", "bare"])
@pytest.mark.parametrize("name", get_args(ExpandModelProperty_T))
def test_expand_gives_one_field_and_the_id(name: str, view: ModelView) -> None:
    for answer in (model_info(view, expand=[name]), model_line(view, expand=[name])):
        assert {"_id", "id"} <= answer.keys() <= {"_id", "id", name}
        received(answer)


def test_expand_gives_every_field_at_once() -> None:
    info = received(model_info(VIEW, expand=EXPANDABLE))
    assert info.base_models == ["timm/resnet18"]
    assert (info.children_model_count, info.downloads_all_time, info.resource_group) == (0, 3, None)
    assert (info.inference_provider_mapping, info.eval_results, info.gguf) == ([], None, None)
    absent = {"gguf", "inference", "mask_token", "widgetData", "transformersInfo"}
    assert set(EXPANDABLE) - model_info(VIEW, expand=EXPANDABLE).keys() == absent


@pytest.mark.parametrize("ask", [model_info, model_line])
def test_an_unknown_field_is_refused_with_the_known_ones(ask: Any) -> None:
    with pytest.raises(
        HubError, match=r"expand='wrong' is no field of a model; there are accuracy, author, .*widgetData"
    ) as error:
        ask(VIEW, expand=["sha", "wrong"])
    assert error.value.status == 400


def test_a_model_of_transformers_says_how_to_load_it() -> None:
    view = replace(VIEW, facts=replace(FACTS, config={"architectures": ["ResNetForImageClassification"]}))
    info = received(model_info(view))
    assert info.transformers_info
    assert info.transformers_info.auto_model == "AutoModelForImageClassification"


def test_a_line_of_a_list_says_more_when_asked() -> None:
    line = model_line(VIEW)
    assert line.keys() == {
        *("_id", "id", "modelId", "private", "likes", "downloads", "trendingScore"),
        *("pipeline_tag", "library_name", "tags", "createdAt"),
    }
    assert received(line).id == "alice/net"
    full = model_line(VIEW, full=True).keys() - line.keys()
    assert full == {"author", "sha", "lastModified", "gated", "disabled", "siblings"}
    assert model_line(VIEW, config=True).keys() - line.keys() == {"config"}
    assert model_line(VIEW, card=True).keys() - line.keys() == {"cardData"}


@pytest.mark.parametrize(
    "card",
    [
        {"self": 1, "ignore_metadata_errors": True},
        {"tags": 5},
        {"tags": True},
        {"tags": {"a": "b"}},
        {"model-index": [{**INDEX, "results": [{**RESULTS[0], "source": "x"}]}]},
        {"model-index": [{**INDEX, "results": [{**RESULTS[0], "source": {"name": "x"}}]}]},
        {"model-index": [{**INDEX, "results": None}]},
        {"co2_eq_emissions": {"source": "x"}},
        {"eval_results": "x", "model_name": 3},
        {"base_model": [1, {"a": "b"}]},
    ],
    ids=str,
)
def test_no_card_makes_the_client_fail(card: dict[str, Any]) -> None:
    readme = f"---\n{json.dumps({'license': 'mit', **card})}\n---\n".encode()
    facts = read_facts((), readme, None, [])
    assert facts.card["license"] == "mit"
    info = received(model_info(replace(VIEW, facts=facts), expand=["cardData", "baseModels", "model-index"]))
    assert isinstance(info.card_data, ModelCardData)
    assert info.card_data.license == "mit"
    assert info.card_data.eval_results in (None, "x")
    assert info.base_models == []
    _is_emission_within_threshold(info, 1, 2)


def test_a_card_may_hold_what_it_likes_otherwise() -> None:
    answer = model_info(with_card(widget=[{"src": "x"}], tags="a", co2_eq_emissions={"emissions": 3}))
    assert answer["cardData"] == {"widget": [{"src": "x"}], "tags": "a", "co2_eq_emissions": {"emissions": 3}}
