"""The demo's English: written for it, about companies and coins that do not exist, or none in particular."""

from core.domain.types import Family
from core.sources.demo_wording import NEGATIVE, NEUTRAL, POSITIVE, Language, Voice

GENERAL = Voice(
    who=(
        *("Northgale Chips", "Haneul Motorworks", "Blue Heron Shipping", "Sorae Biolabs", "Garam Steelworks"),
        *("Ondal Games", "Ridgeway Battery", "Lumen Harbor Bank", "Dasan Grid Systems", "Pinecrest Foods"),
        *("Saebyeok Semicon", "Harang Airlines", "Mokryeon Insurance"),
    ),
    headlines={
        "good": (
            "{c} lifts Q{q} profit {p}%, beating estimates",
            "{c} surges {p}% on fresh {x} order",
            "{c} wins supply contract in {x}",
            "Analysts raise targets for {c} after strong Q{q}",
            "{c} returns to profit and hikes dividend",
            "{c} hits record high as foreign buyers return",
            "{c} expands {x} plant to meet booming demand",
        ),
        "plain": (
            "{c} to publish Q{q} figures next week",
            "{c} names new chief financial officer",
            "{c} moves its {x} office",
            "{c} renames {x} unit",
            "{c} holds annual meeting in {x}",
            "{c} shares close flat in thin trade",
            "{c} files routine Q{q} disclosure",
        ),
        "bad": (
            "{c} posts wider Q{q} loss, misses estimates",
            "{c} tumbles {p}% after losing {x} contract",
            "{c} halts {x} plant on parts shortage",
            "Analysts cut targets for {c} on weak Q{q}",
            "{c} fined over accounting breaches",
            "{c} sinks to record low as funds sell out",
            "{c} downgraded as margins shrink {p}%",
        ),
        "cautious_gain": (
            "{c} keeps cautious guidance yet grows orders",
            "Wary investors still nudge {c} higher",
            "Despite careful tone, {c} margins improve {p}%",
        ),
        "fears_eased": (
            "{c} eases fears over {x} debt",
            "Worries fade as {c} secures credit line",
            "{c} escapes delisting threat",
        ),
        "cautious": (
            "{c} stays cautious and keeps Q{q} plan",
            "Uncertainty noted, {c} leaves outlook unchanged",
            "{c} defers {x} decision, citing prudence",
        ),
        "big_number": (
            "{c} confirms ${n} billion plan is on schedule",
            "{c} assets steady at ${n} billion",
            "{c} carries out ${n} million routine overhaul in {x}",
        ),
        "big_burden": (
            "{c} faces ${n} billion debt wall",
            "{c} writes off ${n} million of {x} stock",
            "${n} billion project to cost {c} more than it earns",
        ),
        "mixed": (
            "Q{q} results of {c} divide the market",
            "{c} unveils {x} investment, reaction varies",
            "Merger talk stirs {c}",
        ),
    },
    setting=(
        "The company told the exchange after a board meeting in Q{q}.",
        "Its site in {x} follows the new rules from Q{q}.",
        "Turnover was close to its monthly average.",
        "Peers are due to report within weeks.",
        "The won and raw material prices remain in view.",
    ),
)

CRYPTO = Voice(
    who=(
        "Bitcoin",
        "Ether",
        "The altcoin index",
        "NovaChain",
        "LumiCoin",
        "OrbitPay",
        "StableOne",
        "HashVale",
    ),
    headlines={
        "good": (
            "{c} rallies {p}% as institutions buy",
            "{c} jumps on approval of {x} fund",
            "{c} breaks past its high on record volume",
            "{x} retailers adopt {c} for payments",
        ),
        "plain": (
            "{c} trades in a narrow range",
            "{c} developers meet in {x}",
            "{c} publishes Q{q} transparency report",
            "{c} wallet app gets new layout",
        ),
        "bad": (
            "{c} plunges {p}% as liquidations mount",
            "{c} hit by hack, withdrawals frozen",
            "{x} regulators open probe into {c}",
            "{c} slides below support on heavy selling",
        ),
        "cautious_gain": ("Cautious market still sends money into {c}", "{c} edges higher in wary trade"),
        "fears_eased": ("{c} relieved as regulation fears fade", "Insolvency worries over {c} ease"),
        "cautious": ("{c} waits for rate decision, little changed", "{c} sticks to prudent roadmap"),
        "big_number": (
            "{c} daily volume at ${n} billion, in line with average",
            "${n} billion of {c} moved in routine wallet upkeep",
        ),
        "big_burden": (
            "${n} billion in {c} positions wiped out",
            "{c} braces for ${n} billion token unlock overhang",
        ),
        "mixed": ("{c} outlook splits traders", "New {x} rules to cover {c}"),
    },
    setting=(
        "On-chain figures are updated daily.",
        "Exchanges in {x} posted notices at the same hour.",
        "Open interest is close to its level of last week.",
        "The proposal goes to a vote in Q{q}.",
    ),
)

ENGLISH = Language(
    voices={Family.GENERAL: GENERAL, Family.CRYPTO: CRYPTO},
    evidence={
        POSITIVE: (
            "Demand grew {p}% and brightened the months ahead.",
            "Investors cheered the faster improvement.",
            "Money keeps coming in and pressure has eased.",
            "Buyers stayed until the close.",
        ),
        NEUTRAL: (
            "Nothing changes in the plans, a spokesperson said.",
            "The effect on value is negligible.",
            "Prices were little different from the day before.",
            "The step follows the usual procedure.",
        ),
        NEGATIVE: (
            "Demand fell {p}% and darkened the months ahead.",
            "Investors fear that losses may deepen.",
            "Money keeps leaving and pressure has grown.",
            "Sellers dominated until the close.",
        ),
    },
    places=("Vietnam", "Poland", "Texas", "Japan", "Busan", "Chile", "Norway", "Gulf"),
    rationales={
        POSITIVE: "Wording such as '{w}' reads as good news.",
        NEUTRAL: "News about '{w}' should hardly move the price.",
        NEGATIVE: "Wording such as '{w}' reads as bad news.",
    },
)
