from collections import Counter
from hashlib import sha256
from threading import Thread

import numpy as np
import pytest
import skops.io

from core.domain.types import Sentiment
from core.errors import ProviderFailed
from core.providers.base import NewsText, TrainingRow
from core.providers.local import artefact
from core.providers.local.pipeline import Hyperparameters, fit

ROWS = [
    TrainingRow(NewsText(f"회사{i} {word}"), label)
    for i in range(12)
    for word, label in (("급등", Sentiment.POSITIVE), ("급락", Sentiment.NEGATIVE))
]


@pytest.fixture(scope="module")
def model():
    return fit(ROWS, Hyperparameters(), seed=1)


@pytest.fixture
def stored(model, tmp_path):
    path = tmp_path / "model.skops"
    return path, artefact.dump(model, path)


def test_a_model_read_back_answers_exactly_as_before(model, stored):
    again = artefact.load(*stored)
    texts = [row.text for row in ROWS]
    np.testing.assert_array_equal(
        again.probabilities(again.matrix(texts)), model.probabilities(model.matrix(texts))
    )


def test_the_checksum_is_that_of_the_file(stored):
    path, digest = stored
    assert sha256(path.read_bytes()).hexdigest() == digest
    assert [file.name for file in path.parent.iterdir()] == ["model.skops"]


def test_the_same_rows_and_seed_give_the_same_bytes(model, stored, tmp_path):
    again = fit(ROWS, Hyperparameters(), seed=1)
    assert artefact.dump(again, tmp_path / "again.skops") == stored[1]


def test_one_checksum_is_loaded_once_also_from_several_threads(stored):
    found = []
    threads = [Thread(target=lambda: found.append(artefact.load(*stored))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Counter(map(id, found))) == 1


def altered(path, change):
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    "change",
    [lambda data: data[:-100], lambda data: data[:500] + b"x" + data[501:], lambda _: b""],
    ids=["truncated", "tampered", "empty"],
)
def test_a_file_that_is_not_the_trained_one_is_never_parsed(stored, change, monkeypatch):
    path, _ = stored
    expected = sha256(path.read_bytes() + b" of another training").hexdigest()
    altered(path, change)
    monkeypatch.setattr(skops.io, "loads", lambda *_, **__: pytest.fail("parsed before it was checked"))
    with pytest.raises(ProviderFailed, match="checksum differs"):
        artefact.load(path, expected)


@pytest.mark.parametrize("data", [b"no archive at all", b"PK\x03\x04 hardly one"])
def test_a_foreign_file_with_the_right_checksum_is_not_a_model(tmp_path, data):
    path = tmp_path / "model.skops"
    path.write_bytes(data)
    with pytest.raises(ProviderFailed, match="is not a local model"):
        artefact.load(path, sha256(data).hexdigest())


def test_types_beyond_arrays_and_texts_are_not_allowed(tmp_path):
    data = skops.io.dumps(
        {"format": artefact.FORMAT, "classes": Counter("ab"), "views": np.random.default_rng}
    )
    path = tmp_path / "model.skops"
    path.write_bytes(data)
    with pytest.raises(ProviderFailed):
        artefact.load(path, sha256(data).hexdigest())


def test_a_foreign_object_in_the_right_format_is_not_a_model(tmp_path):
    data = skops.io.dumps({"format": "another/9"})
    path = tmp_path / "model.skops"
    path.write_bytes(data)
    with pytest.raises(ProviderFailed, match="unknown format"):
        artefact.load(path, sha256(data).hexdigest())


def test_a_missing_file_or_checksum_is_a_sentence(tmp_path):
    with pytest.raises(ProviderFailed, match="cannot be read"):
        artefact.load(tmp_path / "gone.skops", "0" * 64)
    with pytest.raises(ProviderFailed, match="no artefact recorded"):
        artefact.load(None, None)
