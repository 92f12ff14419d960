"""Texts: what makes two the same, and what is wrong with one."""

import unicodedata

import pytest

from core.domain.text import (
    char_ngrams,
    clean_article,
    clean_html,
    content_hash,
    is_placeholder,
    is_truncated,
    normalise,
)
from core.domain.types import Flag


def test_normalising_folds_width_case_and_spaces():
    assert normalise("  ＫＯＳＰＩ\n 상승\t ") == "kospi 상승"


def test_composed_and_decomposed_hangul_are_one_text():
    decomposed = unicodedata.normalize("NFD", "코스피 상승")
    assert content_hash("코스피 상승", None) == content_hash(decomposed, "")


def test_title_and_body_do_not_run_together_in_the_hash():
    assert content_hash("a b", "c") != content_hash("a", "b c")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ('앞 <img src="a.png" alt="b"> 뒤', "앞   뒤"),
        ('본문이다.<img loading="lazy" decoding="asyn...', "본문이다."),
        ('<IMG SRC="x"/>본문', "본문"),
        ("<img 잘린 <b>굵게</b>", "<b>굵게</b>"),
    ],
)
def test_image_remnants_are_stripped(text, cleaned):
    assert clean_html(text) == (cleaned, True)


@pytest.mark.parametrize("text", ["<경제 방송>", "<저작권자 무단 전재 금지>", "a < b > c", "<imgur 소식>"])
def test_other_angle_brackets_stay(text):
    assert clean_html(text) == (text, False)


@pytest.mark.parametrize("body", ["본문 내용을 가져올 수 없습니다.", " 본문 내용을  가져올 수 없습니다 "])
def test_the_parents_placeholder_is_known(body):
    assert is_placeholder(body)


@pytest.mark.parametrize("body", [None, "", "본문 내용을 가져올 수 없습니다. 라고 말했다."])
def test_no_body_and_a_quoting_body_are_no_placeholder(body):
    assert not is_placeholder(body)


@pytest.mark.parametrize(
    ("body", "cut"),
    [("가" * 300 + "...", True), ("가" * 50 + "...", False), ("가" * 400, False), (None, False)],
)
def test_a_body_cut_by_the_parent_is_known_by_length_and_dots(body, cut):
    assert is_truncated(body) is cut


def test_cleaning_an_article_flags_what_it_found():
    body = unicodedata.normalize("NFD", "한글") + "<img src=x>"
    assert clean_article("제목", body) == ("제목", "한글", (Flag.HTML_REMNANT, Flag.NOT_NFC), False)


def test_a_body_of_nothing_but_an_image_is_no_body():
    assert clean_article("제목", "<img src=x>")[1] is None


@pytest.mark.parametrize(
    ("text", "grams"), [("", set()), ("abc", {"abc"}), ("abcd", {"abcd"}), ("abcde", {"abcd", "bcde"})]
)
def test_character_ngrams_of_short_texts_are_the_text(text, grams):
    assert char_ngrams(text) == grams
