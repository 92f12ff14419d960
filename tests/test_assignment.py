"""Dealing articles out to the arms of a split experiment."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from core.domain.assignment import assigned
from core.domain.types import Arm

ADDRESSES = [f"https://news.example/{number}" for number in range(4_000)]


def challenged(key, allocation):
    return {url for url in ADDRESSES if assigned(key, url, allocation) == Arm.CHALLENGER}


def test_the_fraction_is_the_start_of_sha256_over_key_and_address():
    # printf 'key|https://news.example/1' | sha256sum  ->  6c700b79..., which is .42358 of 2^32
    assert assigned("key", "https://news.example/1", 0.4235) == Arm.CHAMPION
    assert assigned("key", "https://news.example/1", 0.4237) == Arm.CHALLENGER


def test_an_article_meets_the_same_model_in_every_process():
    here = [assigned("key", url, 0.5) for url in ADDRESSES[:50]]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert list(pool.map(assigned, ["key"] * 50, ADDRESSES, [0.5] * 50)) == here


@pytest.mark.parametrize("allocation", [0.05, 0.2, 0.5, 0.9])
def test_the_challenger_gets_its_share(allocation):
    error = (allocation * (1 - allocation) / len(ADDRESSES)) ** 0.5
    assert len(challenged("key", allocation)) / len(ADDRESSES) == pytest.approx(allocation, abs=4 * error)


def test_a_larger_allocation_only_adds_articles():
    assert challenged("key", 0.2) < challenged("key", 0.5)


def test_another_experiment_deals_the_articles_anew():
    both = challenged("one", 0.5) & challenged("other", 0.5)
    assert len(both) / len(ADDRESSES) == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("allocation", [0, 1, -0.1, 1.5, float("nan")])
def test_an_allocation_that_is_no_split_is_refused(allocation):
    with pytest.raises(ValueError, match="between 0 and 1"):
        assigned("key", "https://news.example/1", allocation)
