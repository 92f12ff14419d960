"""The Korean catalogue is complete, current and compiled."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from core.domain.dataset import WARNING_SENTENCES

ROOT = Path(__file__).resolve().parent.parent
KOREAN = ROOT / "locales" / "ko" / "LC_MESSAGES"
PLACEHOLDER = re.compile(r"\{(\w*)\}")


def catalogue():
    with (KOREAN / "app.po").open("rb") as file:
        return [message for message in read_po(file, locale="ko") if message.id]


def parts(text):
    return [text] if isinstance(text, str) else list(text)


def test_every_entry_is_translated_and_none_is_a_guess():
    untranslated = [entry.id for entry in catalogue() if entry.fuzzy or not all(parts(entry.string))]
    assert untranslated == []


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: str(parts(entry.id)[0])[:40])
def test_placeholders_agree(entry):
    wanted = {name for text in parts(entry.id) for name in PLACEHOLDER.findall(text)}
    for text in parts(entry.string):
        assert set(PLACEHOLDER.findall(text)) == wanted


def test_the_catalogue_holds_exactly_what_the_code_says():
    with (ROOT / "locales" / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    keywords = {"t": None, "tn": (1, 2), "mark": None}
    found = extract_from_dir(str(ROOT), methods, options, keywords=keywords)
    assert {message for _, _, message, _, _ in found} == {entry.id for entry in catalogue()}


def test_the_sentences_that_core_keeps_in_tables_are_there():
    assert set(WARNING_SENTENCES.values()) <= {entry.id for entry in catalogue()}


def test_the_compiled_catalogue_is_the_one_in_words():
    with (KOREAN / "app.mo").open("rb") as file:
        compiled = {parts(entry.id)[0]: entry.string for entry in read_mo(file) if entry.id}
    for entry in catalogue():
        assert parts(compiled[parts(entry.id)[0]]) == parts(entry.string)
