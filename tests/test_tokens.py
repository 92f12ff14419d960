"""Token estimates against counts of the real encoding, taken once and written down here."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.domain.tokens import ANSWER, TokenEstimate, estimate_messages, estimate_tokens
from core.providers.token_counter import O200K_FILE, _ranks, exact_counter

#: a busy machine is no failure
patient = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
#: text of our own wording -> tokens of o200k_base, counted with tiktoken 0.14.0
COUNTED = {
    "반도체 수출 석 달째 늘어…기업 실적 기대 커져": 18,
    "금리 동결에도 환율 1,380원대 지켜": 15,
    "(종합) 자동차 부품사, 3분기 영업이익 12.4% 감소": 23,
    "비트코인 9만8000달러 넘어…ETF로 돈 몰려": 18,
    "Chip exports rise for a third month as orders return": 10,
    "The company cut its full-year forecast by 4.5% after weak demand in Europe.": 19,
    "제목: 조선업계 수주 잇따라\n본문: 국내 조선 3사가 이달 들어 선박 14척을 새로 수주했다. "
    "업계는 내년에도 비슷한 흐름을 내다본다.": 54,
    '{"sentiment":"positive","confidence":85,"keywords":["반도체","수출"],"reason":"수출 증가가 실적 '
    '기대를 높입니다."}': 34,
    "Q3 EPS $1.25 vs. $1.10 est.; revenue +8% YoY": 21,
    "당신은 금융 시장 전문 뉴스 분석가입니다.": 11,
}


@pytest.mark.parametrize(("text", "tokens"), COUNTED.items())
def test_the_range_holds_the_true_count(text, tokens):
    found = estimate_tokens(text)
    assert found.low <= tokens <= found.high


def test_over_many_texts_the_likely_count_is_within_a_tenth():
    likely = TokenEstimate.total(estimate_tokens(text) for text in COUNTED).likely
    assert likely == pytest.approx(sum(COUNTED.values()), rel=0.1)


def test_nothing_has_no_tokens():
    assert estimate_tokens("") == TokenEstimate(0, 0, 0)


@patient
@given(st.text(max_size=300))
def test_any_text_has_a_range_in_order(text):
    found = estimate_tokens(text)
    assert 0 <= found.low <= found.likely <= found.high


def test_a_longer_text_has_no_fewer_tokens():
    counts = [estimate_tokens("수출이 늘었다. " * n).likely for n in range(20)]
    assert counts == sorted(counts)


def test_a_long_run_of_letters_is_more_than_one_token():
    assert estimate_tokens("a" * 100).likely >= 10


def test_a_chat_has_its_texts_and_what_stands_around_each_message():
    messages = [{"role": "system", "content": "ab"}, {"role": "user", "content": "abc"}]
    assert estimate_messages(messages, lambda text: TokenEstimate.exactly(len(text))) == (
        TokenEstimate.exactly(2 + 3 + 2 * 4 + 3)
    )
    assert estimate_messages(messages).likely > estimate_messages(messages[:1]).likely


def test_estimates_add_up_and_multiply():
    one = TokenEstimate(1, 2, 3)
    assert one + one == one * 2 == TokenEstimate.total([one, one]) == TokenEstimate(2, 4, 6)
    assert TokenEstimate.total([]) == TokenEstimate(0, 0, 0)


def test_answers_that_were_counted_lie_in_the_range_of_answers():
    fewest, most = 62, 126  # among the answers counted
    assert ANSWER.low <= fewest < most <= ANSWER.high


def test_there_is_no_exact_count_without_the_encoding(tmp_path):
    assert exact_counter("") is None
    assert exact_counter(tmp_path) is None


def test_a_damaged_encoding_is_not_used(tmp_path):
    (tmp_path / O200K_FILE).write_bytes(b"IQ== 0\n")
    assert exact_counter(tmp_path) is None


def test_an_encoding_is_read_as_bytes_with_their_ranks(tmp_path):
    (tmp_path / "ranks").write_bytes(b"IQ== 0\nIg== 1\n\n7Iic 2\n")
    assert _ranks(tmp_path / "ranks") == {b"!": 0, b'"': 1, "순".encode(): 2}
