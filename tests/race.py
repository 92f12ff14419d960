"""Processes that click at once: the workers of the budget race. Imported by them, so it stays light."""

from datetime import UTC, datetime
from multiprocessing import get_context
from queue import Empty

from core.db import open_engine, reading, writing
from core.domain.policy import Policy
from core.domain.types import CostPurpose
from core.errors import Refused
from core.ledger import Charge, reserve, standing

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
#: of what is left in every round three of these fit, four do not
EACH, LEFT = 3_000_000, 10_000_000
CLICKERS, PATIENCE_S = 8, 60
ENDLESS = Policy(monthly_budget_usd=1e9)


def charge(key):
    return Charge(key, CostPurpose.TRAINING, "openai", "gpt-4.1-mini", "kim")


def careful(engine, policy, key, _together):
    """Reserve as the program does: look and write under one lock."""
    try:
        with writing(engine) as session:
            reserve(session, policy, charge(key), likely=EACH, high=EACH, now=NOW)
            session.commit()
    except Refused:
        return False
    return True


def naive(engine, policy, key, together):
    """Look first, write then: what every process saw before the first wrote is out of date."""
    with reading(engine) as session:
        fits = standing(session, policy, simulated=False, now=NOW).may_spend(EACH)
    together.wait(PATIENCE_S)
    if fits:
        with writing(engine) as session:
            reserve(session, ENDLESS, charge(key), likely=EACH, high=EACH, now=NOW)
            session.commit()
    return fits


def click(way, url, rounds, together, answers, name):
    """Take part in every round: see what is left, wait for the others, try to reserve once."""
    engine = open_engine(url)
    for number in range(rounds):
        together.wait(PATIENCE_S)
        with reading(engine) as session:
            committed = standing(session, ENDLESS, simulated=False, now=NOW).reserved
        policy = Policy(monthly_budget_usd=(committed + LEFT) / 1_000_000)
        together.wait(PATIENCE_S)
        answers.put((number, way(engine, policy, f"click-{name}-{number}", together)))
    engine.dispose()


def winners(way, url, rounds):
    """Return how many of eight processes may spend in each round."""
    context = get_context("fork")  # a fresh interpreter each would spend the test's time on imports
    together, answers = context.Barrier(CLICKERS), context.Queue()
    clickers = [
        context.Process(target=click, args=(way, url, rounds, together, answers, name))
        for name in range(CLICKERS)
    ]
    for clicker in clickers:
        clicker.start()
    won = [0] * rounds
    try:
        for _ in range(CLICKERS * rounds):
            number, may = answers.get(timeout=PATIENCE_S)
            won[number] += may
    except Empty:
        message = f"a process did not come to its end: {[clicker.exitcode for clicker in clickers]}"
        raise AssertionError(message) from None
    finally:
        for clicker in clickers:
            clicker.join(timeout=10)
            clicker.kill()
    return won
