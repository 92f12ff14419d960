"""The budget race at full length: eight processes, fifty rounds."""

import pytest

from tests import race
from tests.conftest import empty_database


@pytest.mark.statistics
@pytest.mark.parametrize(("way", "may_spend"), [(race.careful, 3), (race.naive, 8)])
def test_in_fifty_rounds_the_cap_holds_and_without_the_lock_it_never_does(tmp_path, way, may_spend):
    engine = empty_database(tmp_path / "ledger.db")
    assert race.winners(way, str(engine.url), rounds=50) == [may_spend] * 50
    engine.dispose()
