"""One shape for teaching and asking; texts in tables never run."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.policy import Policy
from core.domain.training_format import (
    Answer,
    chat_example,
    guard_formula,
    outcome_sentence,
    serving_messages,
    teach,
    template,
    title_keywords,
    unguard_formula,
)
from core.domain.types import Sentiment

POLICY = Policy()
ANSWER = Answer(Sentiment.POSITIVE, 90, ("금리 인하",), "비용이 준다")


def test_an_example_has_the_shape_of_the_plan():
    assert chat_example("분석가", "기준금리 인하", "한은이 내렸다", ANSWER) == {
        "messages": [
            {"role": "system", "content": "분석가"},
            {"role": "user", "content": "제목: 기준금리 인하\n본문: 한은이 내렸다"},
            {
                "role": "assistant",
                "content": '{"sentiment":"positive","confidence":90,"keywords":["금리 인하"],'
                '"reason":"비용이 준다"}',
            },
        ]
    }


def test_a_model_is_asked_exactly_as_it_was_taught():
    taught = chat_example("s", "t", "b", ANSWER)["messages"]
    assert serving_messages("s", "t", "b") == taught[:2]


@pytest.mark.parametrize("body", [None, "", "  \n"])
def test_an_article_without_a_body_has_no_line_for_it(body):
    assert serving_messages("s", "제목만", body)[1]["content"] == "제목: 제목만"


def test_braces_in_a_text_are_text():
    assert serving_messages("s", "{title}", "{0}")[1]["content"] == "제목: {title}\n본문: {0}"


def test_the_template_names_itself_and_carries_the_system_prompt():
    assert template(Policy(system_prompt="다른 역할"))["system"] == "다른 역할"
    assert template(POLICY)["name"] == "newstune-chat-1"


def test_a_prediction_that_agreed_lends_its_confidence_keywords_and_reason():
    said = ("positive", 91.6, ["수출", "수출", " 반도체 "], "수출이 늘었다")
    assert teach(Sentiment.POSITIVE, "수출 호조", POLICY, said=said) == Answer(
        Sentiment.POSITIVE, 92, ("수출", "반도체"), "수출이 늘었다"
    )


def test_a_prediction_that_disagreed_lends_nothing():
    said = ("negative", 91.0, ["공포"], "모두 판다")
    answer = teach(Sentiment.POSITIVE, "수출 호조 지속", POLICY, said=said)
    assert answer == Answer(Sentiment.POSITIVE, POLICY.confidence_default, ("수출", "호조", "지속"), None)


def test_a_missing_confidence_is_the_policys_and_never_zero():
    said = ("positive", None, [], None)
    answer = teach(Sentiment.POSITIVE, "수출 호조", POLICY, said=said, outcome_reason="KOSPI")
    assert (answer.confidence, answer.reason) == (85, "KOSPI")


def test_an_answer_without_a_reason_leaves_the_field_out():
    content = chat_example("s", "t", None, Answer(Sentiment.NEUTRAL, 85, ("t",)))["messages"][2]["content"]
    assert list(json.loads(content)) == ["sentiment", "confidence", "keywords"]


def test_keywords_are_up_to_five_words_of_the_title_in_their_order():
    assert title_keywords("[속보] Garam Steelworks wins $3 billion order from the shipyards, 3분기") == (
        "Garam",
        "Steelworks",
        "billion",
        "order",
        "shipyards",
    )


@pytest.mark.parametrize("title", ["3.5% ...", "속보", "가"])
def test_a_title_without_a_word_is_its_own_keyword(title):
    assert title_keywords(title) == (title,)


def test_an_outcome_is_told_with_both_decimals_and_says_when_it_is_partial():
    assert outcome_sentence("general", 1.82, partial=False) == "KOSPI·KOSDAQ 평균 +1.82 %"
    assert outcome_sentence("crypto", -0.964, partial=True) == "BTC·ETH 평균 -0.96 % (일부 종목만 집계)"


LIVE = [
    "=1+1", "+82 10", "-3%", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1", "＋1", "－1", "＠x",
    "  =1", "\u00a0=1", "\u3000=1", "\u200b=1", "\ufeff=1", "\u2060@x", "'=1", "''=1", "' =1",
    "\x00=1", "\x1b-1", "\u00ad=1", "\u202e=1", "\u3164=1", "=cmd|'/C calc'!A0",
]  # fmt: skip


@pytest.mark.parametrize("value", LIVE)
def test_a_live_text_is_quoted(value):
    assert guard_formula(value) == f"'{value}"


@pytest.mark.parametrize("value", ["", "삼분기 실적 -3%", "'quoted' title", "1-2", "a=b", "—dash", "'"])
def test_a_harmless_text_is_left_as_it_is(value):
    assert guard_formula(value) == value


@given(st.text(alphabet=st.sampled_from("'=+-@ \t\r\n\u200b＝a가1"), max_size=8) | st.text(max_size=20))
def test_the_guard_round_trips_through_a_csv(value):
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow([guard_formula(value), "end"])
    buffer.seek(0)
    assert unguard_formula(next(csv.reader(buffer))[0]) == value
