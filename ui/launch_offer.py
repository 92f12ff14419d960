"""What is chosen on the launch desk, what it would cost, and whether anything known stands in its way."""

from dataclasses import dataclass
from typing import Any

from core import workflows
from core.domain.budget import Standing
from core.domain.pricing import Quote, Unpriced
from core.queries import costs, training
from core.queries.training import DatasetVersion
from core.workflows import ProviderState, Request, TrainingQuote
from ui import format as fmt
from ui import money, words
from ui.i18n import t
from ui.state import Session, app


@dataclass(frozen=True)
class Wish:
    """What is chosen on the desk: by whom, on which dataset version, and the request it amounts to."""

    state: ProviderState
    version: DatasetVersion
    request: Request


@dataclass(frozen=True)
class Offer:
    """A wish with its quote and the budget it would be paid from; `problem` says why it cannot be started.

    `elsewhere` and `costs` name what helps: another provider, or a price or budget on the Costs page.
    """

    wish: Wish
    quote: TrainingQuote
    standing: Standing
    problem: str = ""
    elsewhere: bool = False
    costs: bool = False

    @property
    def cost(self) -> Quote | None:
        """The price; None where nothing is charged or no price is known."""
        return self.quote.cost if isinstance(self.quote.cost, Quote) else None


def offer(session: Session, wish: Wish) -> Offer:
    """Return what a wish would cost and whether anything that is known stands in its way.

    Raises
    ------
    NewstuneError
        If no quote can be worked out.
    """
    quote = workflows.quote_training(app(), wish.request)
    simulated = wish.state.simulated
    standing = costs.standing(session, app().policy, simulated=simulated, now=app().now())
    refused = _refused(session, wish.state)
    return Offer(wish, quote, standing, **_obstacle(wish, quote, standing, refused))


def _refused(session: Session, state: ProviderState) -> str:
    """Return how a vendor refused its last start, "" where it did not, or was asked again since then."""
    said, job = state.checks.get("train"), training.refusal(session, state.card.name)
    if job is None or job.finished_at is None or (said is not None and said.at > job.finished_at):
        return ""
    ago = fmt.ago(job.finished_at, app().now())
    why = words.of_core(job.error or "")
    return t("It refused a start {ago}; ask it again with Check now. {why}", ago=ago, why=why)


def _obstacle(wish: Wish, quote: TrainingQuote, standing: Standing, refused: str) -> dict[str, Any]:
    """Return why a wish cannot be started, and what would help; {} where nothing is known against it."""
    if not wish.state.card.configured:
        missing = ", ".join(name for name, given in wish.state.card.keys.items() if not given)
        return {"problem": t("There is no key: set {names}.", names=missing), "elsewhere": True}
    if not quote.preflight.allowed:
        return {"problem": words.of_core(quote.preflight.reason), "elsewhere": True}
    if refused:
        return {"problem": refused, "elsewhere": True}
    if isinstance(quote.cost, Unpriced):
        return {"problem": quote.cost.sentence, "costs": True}
    if quote.cost is not None and not standing.may_spend(quote.cost.high):
        values = {"high": money.dollars(quote.cost.high), "left": money.dollars(max(0, standing.left))}
        return {
            "problem": t("This may cost {high} and {left} of the month's budget are left.", **values),
            "costs": True,
        }
    return {}
