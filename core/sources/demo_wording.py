"""What the demo's wordings are made of.

Slots: ``{c}`` who, ``{x}`` where, ``{q}`` quarter, ``{m}`` month, ``{p}`` percent, ``{n}`` a large number.
A *kind* of headline has a true tone, and some kinds are wordings that the demo's few-shot model misreads.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from core.domain.types import Family, Sentiment

POSITIVE, NEUTRAL, NEGATIVE = Sentiment.POSITIVE, Sentiment.NEUTRAL, Sentiment.NEGATIVE


@dataclass(frozen=True)
class Voice:
    """How news of one language and family sounds.

    Parameters
    ----------
    who : tuple of str
        Who a headline may be about.
    headlines : mapping of str to tuple of str
        Wordings by kind, see `KINDS`; ``mixed`` is written for any tone.
    setting : tuple of str
        Sentences without a tone.
    """

    who: tuple[str, ...]
    headlines: Mapping[str, tuple[str, ...]]
    setting: tuple[str, ...]


@dataclass(frozen=True)
class Language:
    """Everything that the demo can say in one language.

    Parameters
    ----------
    voices : mapping of Family to Voice
    evidence : mapping of Sentiment to tuple of str
        Sentences that support a tone.
    places : tuple of str
        What fills the slot ``{x}``.
    rationales : mapping of Sentiment to str
        How the few-shot model explains a tone; ``{w}`` is a keyword.
    """

    voices: Mapping[Family, Voice]
    evidence: Mapping[Sentiment, tuple[str, ...]]
    places: tuple[str, ...]
    rationales: Mapping[Sentiment, str]


#: Kind of headline -> (true tone, how the few-shot model misreads it or None).
KINDS: dict[str, tuple[Sentiment, Sentiment | None]] = {
    "good": (POSITIVE, None),
    "plain": (NEUTRAL, None),
    "bad": (NEGATIVE, None),
    "cautious_gain": (POSITIVE, NEGATIVE),
    "fears_eased": (POSITIVE, NEGATIVE),
    "cautious": (NEUTRAL, NEGATIVE),
    "big_number": (NEUTRAL, POSITIVE),
    "big_burden": (NEGATIVE, POSITIVE),
}
