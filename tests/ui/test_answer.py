"""The card's text, states and escaping, from outcomes written by hand."""

from __future__ import annotations

import re

import pytest

from tars_hub.card import Measured
from tars_hub.errors import PictureError, TarsError
from tars_hub.predict import Prediction
from tars_hub.ui.answer import Facts, answer_card, percent
from tars_hub.ui.header import page_header
from tests.ui.reader import HOSTILE, Reader

FACTS = Facts(model="pets", device="cpu", prepare_ms=3.14, model_ms=41.7)


def _prediction(*top: tuple[str, float], declined: bool = False) -> Prediction:
    return Prediction(label=top[0][0], probability=top[0][1], top=top, declined=declined)


def _state(html: str) -> str | None:
    return Reader(html).tags[0][1]["data-state"]


SURE = _prediction(("cat", 0.926), ("dog", 0.0731), ("cow", 0.0009))


def test_a_sure_answer_names_class_and_probability() -> None:
    html = answer_card(SURE, run=3, facts=FACTS)
    assert _state(html) == "ok"
    assert '<strong class="tars-label">cat</strong> <span class="tars-share">92.6 %</span>' in html
    assert "Not sure" not in html


def test_further_classes_each_have_a_bar() -> None:
    rows = [tag for tag in Reader(answer_card(SURE, run=3)).tags if tag[1].get("class") == "tars-row"]
    assert [(row[1]["data-label"], row[1]["data-probability"]) for row in rows] == [
        ("dog", "0.0731"),
        ("cow", "0.0009"),
    ]
    assert re.findall(r"width:([\d.]+)%", answer_card(SURE, run=3)) == ["92.60", "7.31", "0.09"]


def test_the_exact_probability_is_kept_as_data() -> None:
    assert 'data-probability="0.333333343267441"' in answer_card(_prediction(("cat", 0.333333343267441)), run=1)


@pytest.mark.parametrize(("probability", "state"), [(0.5, "ok"), (0.4999, "unsure"), (float("nan"), "unsure")])
def test_below_one_half_it_is_unsure(probability: float, state: str) -> None:
    assert _state(answer_card(_prediction(("cat", probability)), run=1)) == state


@pytest.mark.parametrize(("probability", "declined"), [(0.8, True), (0.2, False), (float("nan"), True)])
def test_with_a_threshold_it_is_unsure_where_the_model_declined(probability: float, declined: bool) -> None:
    html = answer_card(_prediction(("cat", probability), declined=declined), run=1, threshold=0.9 if declined else 0.1)
    assert _state(html) == ("unsure" if declined else "ok")
    assert ("Not sure: nearest is" in html) == declined


def test_an_unsure_answer_says_so_in_one_sentence() -> None:
    text = Reader(answer_card(_prediction(("cat", 0.341), ("dog", 0.3)), run=1)).text
    assert "Not sure: nearest is" in text
    assert "cat 34.1 %" in text


def test_before_the_first_picture_it_is_empty() -> None:
    html = answer_card(None, run=0)
    assert (_state(html), Reader(html).tags[0][1]["data-run"]) == ("empty", "0")
    assert "%" not in html


def test_a_broken_file_is_one_calm_sentence() -> None:
    html = answer_card(PictureError("holiday.jpg", "cut short"), run=4)
    assert _state(html) == "error"
    assert Reader(html).text == "“holiday.jpg” cannot be read: cut short."


def test_any_other_error_is_its_own_sentence() -> None:
    assert Reader(answer_card(TarsError("The model failed."), run=4)).text == "The model failed."


def test_facts_stand_in_one_line() -> None:
    assert "pets · prepare 3.1 ms · model 42 ms · cpu" in answer_card(SURE, run=1, facts=FACTS)


@pytest.mark.parametrize(
    "html",
    [
        answer_card(_prediction((HOSTILE, 0.9), (HOSTILE + "2", 0.1)), run=1, facts=FACTS),
        answer_card(_prediction((HOSTILE, 0.4)), run=1),
        answer_card(PictureError(HOSTILE, "cut short"), run=1),
        answer_card(SURE, run=1, facts=Facts(model=HOSTILE, device="cpu", prepare_ms=1, model_ms=1)),
        answer_card(_prediction((HOSTILE, 0.6), declined=True), run=1, facts=FACTS, threshold=0.7),
        page_header(HOSTILE, (HOSTILE,), Measured(accuracy=0.9, pictures=5, dataset=HOSTILE, split=HOSTILE)),
    ],
    ids=["sure", "unsure", "error", "facts", "declined", "header"],
)
def test_hostile_names_stay_text(html: str) -> None:
    reader = Reader(html)
    assert HOSTILE in reader.text
    assert not {"img", "script"} & {tag for tag, _ in reader.tags}
    assert not any(name.startswith("on") for _, attributes in reader.tags for name in attributes)


def test_every_state_has_the_same_skeleton() -> None:
    """The page patches the card in place; a live region that came and went would not be spoken."""
    cards = [answer_card(outcome, run=1) for outcome in (None, SURE, PictureError("a", "b"))]
    skeletons = {re.sub(r'data-state="\w+"', "", card)[:120] for card in cards}
    assert len(skeletons) == 1
    assert all('<div class="tars-said" aria-live="polite"' in card for card in cards)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0.0 %"),
        (0.0009, "< 0.1 %"),
        (0.001, "0.1 %"),
        (0.926, "92.6 %"),
        (0.9990, "99.9 %"),
        (0.9999, "> 99.9 %"),
        (1.0, "100.0 %"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


def test_the_header_shortens_long_lists() -> None:
    few = Reader(page_header("pets", [f"c{n}" for n in range(13)], None)).text
    many = Reader(page_header("pets", [f"c{n}" for n in range(1014)], None)).text
    assert few.startswith("petsKnows 13 classes: c0, c1,")
    assert "c11 and c12." in few
    assert "Knows 1,014 classes: c0, c1," in many
    assert "c11 and 1,002 more." in many
    assert Reader(page_header("pets", ["cat"], None)).text.startswith("petsKnows one class: cat.")
    assert f"Knows 2 classes: {'l' * 59}… and dog." in Reader(page_header("pets", ["l" * 5000, "dog"], None)).text


@pytest.mark.parametrize(
    ("measured", "sentence"),
    [
        (None, "Nobody has measured yet how good it is."),
        (
            Measured(accuracy=0.9642, pictures=1234, dataset="pets", split="val"),
            "Right on 96.4 % of 1,234 validation pictures of pets.",
        ),
        (Measured(accuracy=1.0, pictures=0, dataset="pets", split=""), "Right on 100.0 % of the pictures of pets."),
    ],
)
def test_the_header_says_how_good_it_is(measured: Measured | None, sentence: str) -> None:
    assert Reader(page_header("pets", ["cat", "dog"], measured)).text.endswith(
        f"Knows 2 classes: cat and dog.{sentence}"
    )


@pytest.mark.parametrize(
    ("threshold", "sentence"),
    [
        (None, ""),
        (0.0, ""),
        (0.5, ""),  # one of two classes always has as much
        (0.501, " Declines to answer below 50.1 %."),
        (0.6149, " Declines to answer below 61.5 %."),
        (0.99999, " Declines to answer below 99.9990 %."),
        (1.0, " Declines to answer below 100.0 %."),
    ],
)
def test_the_header_says_when_it_declines(threshold: float | None, sentence: str) -> None:
    text = Reader(page_header("pets", ["cat", "dog"], None, threshold=threshold)).text
    assert text.endswith(f"Nobody has measured yet how good it is.{sentence}")


def test_the_header_of_many_classes_tells_a_low_threshold() -> None:
    text = Reader(page_header("pets", [f"c{n}" for n in range(30)], None, threshold=0.04)).text
    assert text.endswith(" Declines to answer below 4.0 %.")
