"""Who answers an article in a split experiment: the same model every time, decided by a hash of its address."""

import hashlib

from core.domain.types import Arm


def assigned(key: str, url: str, allocation: float) -> Arm:
    """Return the arm of an article: the same for the same key and address, on every machine, for ever.

    Parameters
    ----------
    key : str
        Salt of the experiment. Another key deals the articles anew, independently of every other key.
    url : str
        Address of the article, or what stands for it (a hash of its text where it has none).
    allocation : float
        Share of articles that the challenger answers, above 0 and below 1. A larger one only moves articles
        from the champion to the challenger, never back.

    Raises
    ------
    ValueError
        Where `allocation` is not between 0 and 1.

    Notes
    -----
    The first 64 bits of SHA-256 over "key|url", read as a fraction of 2^64, are uniform for all that matters
    here; they lie below `allocation` for the challenger.
    """
    if not 0 < allocation < 1:
        raise ValueError(f"the allocation lies between 0 and 1, not at {allocation}")
    digest = hashlib.sha256(f"{key}|{url}".encode()).digest()
    fraction = int.from_bytes(digest[:8], "big") / 2**64
    return Arm.CHALLENGER if fraction < allocation else Arm.CHAMPION
