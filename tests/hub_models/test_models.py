"""Models of a real hub, opened for visitors one by one: how they are loaded and kept, and what a bad folder says."""

from __future__ import annotations

import json
import tempfile
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from safetensors.torch import save

from tars_hub import hub_models
from tars_hub.errors import DownloadError, ModelError, UsageError
from tars_hub.exhibits import Wanted
from tars_hub.hub_answers import Place
from tars_hub.hub_door import HubDoor
from tars_hub.hub_models import HubModels, Limits
from tars_hub.memory import memory_of
from tars_hub.predict import Predictor
from tests.hub_with_models import NOBODY, ask, by_token, push
from tests.server.running import Site
from tests.small_model import small


@pytest.fixture
def models(shared: Site) -> HubModels:
    return HubModels(shared.url, "ann/animals", device="cpu")


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that are loaded, in their order, each time they are."""
    loaded: list[str] = []
    load = Predictor.from_pretrained.__func__  # type: ignore[attr-defined]
    fetch = HubDoor.fetch
    fetched: list[str] = []

    def note(self: HubDoor, place: Place, name: str, *rest: object, **options: int) -> int:
        fetched.append(place.model)
        return fetch(self, place, name, *rest, **options)  # type: ignore[arg-type]

    def count(cls: type[Predictor], folder: Path, **options: object) -> Predictor:
        loaded.append(fetched[-1])
        found: Predictor = load(cls, folder, **options)
        return found

    monkeypatch.setattr(HubDoor, "fetch", note)
    monkeypatch.setattr(Predictor, "from_pretrained", classmethod(count))
    return loaded


class TestLoading:
    @pytest.fixture
    def temporary(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        return tmp_path

    @pytest.fixture
    def loads(self, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
        loaded: list[Path] = []
        load = Predictor.from_pretrained.__func__  # type: ignore[attr-defined]

        def count(cls: type[Predictor], folder: Path, **options: object) -> Predictor:
            loaded.append(folder)
            found: Predictor = load(cls, folder, **options)
            return found

        monkeypatch.setattr(Predictor, "from_pretrained", classmethod(count))
        return loaded

    def test_two_who_come_at_once_load_it_once(self, models: HubModels, loads: list[Path], temporary: Path) -> None:
        with ThreadPoolExecutor(4) as pool:
            shown = list(pool.map(lambda _: models.exhibit(Wanted(), NOBODY), range(4)))
        assert len(loads) == 1
        assert len({id(each.predictor) for each in shown}) == 1
        assert list(temporary.iterdir()) == []

    def test_it_answers_as_the_folder_would(self, shared: Site, models: HubModels, tmp_path: Path) -> None:
        own = Predictor.from_pretrained("ann/animals", endpoint=shared.url, token=False, cache_dir=tmp_path / "c")
        picture = b"P6 2 2 255 " + bytes(range(12))
        assert models.exhibit(Wanted(), NOBODY).predictor(picture) == own(picture)

    def test_those_used_longest_ago_make_room(self, shared: Site, loads: list[Path]) -> None:
        models = HubModels(shared.url, "ann/animals", limits=Limits(models=1))
        ann = by_token(shared, "ann")
        for key in ("ann/animals", "ann/secret", "ann/animals"):
            ask(models, key, ann)
        assert len(loads) == 3

    @pytest.mark.parametrize(
        ("files", "reason"),
        [
            ({}, "config.json: no such file"),
            ({"pytorch_model.bin": b"\x80\x02"}, "config.json: no such file"),
            ({"config.json": b"{"}, "config.json: not readable as JSON"),
            ({"config.json": b'{"model_type": "bert"}'}, "not a config.json written by Tars Hub"),
            ({"config.json": None, "model.safetensors": b"nonsense"}, "no readable safetensors file"),
            ({"config.json": None}, "model.safetensors: no such file"),
        ],
    )
    def test_a_bad_folder_gets_one_clear_sentence(
        self, shared: Site, models: HubModels, temporary: Path, files: dict[str, bytes | None], reason: str
    ) -> None:
        good = json.dumps(small().config.to_dict()).encode()
        shared.create("ann/bad", "ann")
        shared.put("ann/bad", "ann", {"notes.txt": b"x", **{name: data or good for name, data in files.items()}})
        with pytest.raises(ModelError) as caught:
            ask(models, "ann/bad")
        said = str(caught.value)
        assert said.startswith("ann/bad cannot be shown: ")
        assert reason in said
        assert str(temporary) not in said
        assert "\n" not in said
        assert list(temporary.iterdir()) == []

    def test_too_large_a_model_is_refused_and_leaves_nothing(self, shared: Site, temporary: Path) -> None:
        models = HubModels(shared.url, "ann/animals", limits=Limits(model_bytes=1 << 20))
        with pytest.raises(
            ModelError, match=r"ann/animals cannot be shown: model\.safetensors has more than the 1 MiB"
        ):
            ask(models, "")
        assert not list(temporary.glob("tars-models-*/*"))

    def test_too_long_a_name_of_a_class_is_refused(self, shared: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hub_models, "_NAME_LETTERS", 2)
        with pytest.raises(ModelError, match=r"the name of a class has [0-9]+ letters, and up to 2 are shown here"):
            ask(HubModels(shared.url, "ann/animals"), "")

    def test_too_large_a_picture_for_the_network_is_refused(self, shared: Site) -> None:
        models = HubModels(shared.url, "ann/animals", limits=Limits(side_px=128))
        with pytest.raises(ModelError, match="its network sees 224 px, and up to 128 are shown here"):
            ask(models, "")

    def test_a_card_without_end_is_left_out(self, shared: Site, models: HubModels) -> None:
        shared.put("ann/animals", "ann", {"README.md": b"x" * (2 << 20)})
        shown = models.exhibit(Wanted(), NOBODY)
        assert (shown.measured, shown.predictor.model.card) == (None, None)

    def test_a_hub_that_is_silent_is_one_sentence(self) -> None:
        models = HubModels("http://127.0.0.1:9", "ann/animals")
        with pytest.raises(DownloadError, match=r"^The hub does not answer; try again in a moment\.$"):
            ask(models, "")


class TestMemory:
    def test_it_is_counted_by_parameters_and_buffers(self, models: HubModels) -> None:
        network = small()
        held_bytes = sum(each.numel() * each.element_size() for each in network.state_dict().values())
        assert memory_of(models.exhibit(Wanted(), NOBODY).predictor.model) == held_bytes

    def test_all_together_stay_within_the_limit(self, shared: Site, recorded: list[str]) -> None:
        one = memory_of(small())
        models = HubModels(shared.url, "ann/animals", limits=Limits(memory_bytes=int(2.5 * one)))
        ann = by_token(shared, "ann")
        push(shared, "ann/third", ("p", "q"))
        for key in ("ann/animals", "ann/secret", "ann/animals", "ann/third", "ann/animals", "ann/secret"):
            ask(models, key, ann)
        assert recorded == ["ann/animals", "ann/secret", "ann/third", "ann/secret"]

    def test_what_fell_is_gone_from_memory(self, shared: Site) -> None:
        models = HubModels(shared.url, "ann/animals", limits=Limits(models=1))
        network = weakref.ref(models.exhibit(Wanted(), NOBODY).predictor.model)
        ask(models, "ann/secret", by_token(shared, "ann"))
        assert network() is None

    def test_one_that_is_larger_alone_is_refused_before_it_is_loaded(self, shared: Site, recorded: list[str]) -> None:
        models = HubModels(shared.url, "ann/animals", limits=Limits(memory_bytes=1 << 20))
        with pytest.raises(ModelError) as caught:
            ask(models, "")
        assert str(caught.value) == (
            "ann/animals cannot be shown: its network takes 1 MiB of memory, and there are 1 for models here."
        )
        assert recorded == []

    def test_half_precision_counts_as_what_it_is_loaded_as(self, shared: Site, recorded: list[str]) -> None:
        halves = {name: each.half() for name, each in small().backbone.state_dict().items()}
        config = json.dumps(small().config.to_dict()).encode()
        shared.create("ann/half", "ann")
        shared.put("ann/half", "ann", {"config.json": config, "model.safetensors": save(halves, {"format": "pt"})})
        limits = Limits(memory_bytes=memory_of(small()) - 4096)
        with pytest.raises(ModelError, match="MiB of memory"):
            ask(HubModels(shared.url, "ann/half", limits=limits), "ann/half")
        assert recorded == []


class TestLimits:
    def test_the_environment_may_name_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert Limits.from_environment() == Limits(models=4, model_bytes=2 << 30)
        monkeypatch.setenv("TARS_DEMO_MODELS", "9")
        monkeypatch.setenv("TARS_DEMO_MODEL_BYTES", "1000")
        assert Limits.from_environment() == Limits(models=9, model_bytes=1000)

    @pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "²"])
    def test_what_is_no_number_is_named(self, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
        monkeypatch.setenv("TARS_DEMO_MODELS", text)
        with pytest.raises(UsageError, match=r"TARS_DEMO_MODELS=.* is no whole number above 0"):
            Limits.from_environment()
