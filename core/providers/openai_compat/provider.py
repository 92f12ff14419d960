"""A vendor of OpenAI's protocol behind the provider protocol: its card, its checks, its services."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from threading import Lock

from pydantic import SecretStr

from core.domain.tokens import TokenEstimate, estimate_tokens
from core.domain.types import Failure
from core.providers.base import BaseModel, KnownDate, ModelRef, Preflight, ProviderCard
from core.providers.openai_compat.batches import OpenAIBatcher
from core.providers.openai_compat.chat import ChatAsker
from core.providers.openai_compat.client import Connection
from core.providers.openai_compat.faults import Fault, as_error
from core.providers.openai_compat.flavours import Flavour
from core.providers.openai_compat.reports import day_of
from core.providers.openai_compat.trainer import OpenAITrainer
from core.providers.retrying import PATIENCE, Patience

#: Seconds within which a server on this machine says whether it only plays.
_PROBE_S = 2.0


class OpenAICompatible:
    """One vendor, by its flavour.

    Parameters
    ----------
    flavour : Flavour
        What is particular about it.
    key : SecretStr or None
        Its key.
    base_url : str or callable
        Its address, or what starts a server of ours and returns its address.
    api_version : str
        Azure's API version, where the address needs one.
    models : sequence of str
        Models that the user named.
    timeout_s : float
        Seconds that a request may wait for its answer; trainings and batches have a limit of their own.
    redact : callable
        Takes keys out of a text.
    count : callable
        Tokens of a text.
    patience : Patience
        How long an answer is asked for where the vendor is busy.
    """

    def __init__(
        self,
        flavour: Flavour,
        *,
        key: SecretStr | None,
        base_url: str | Callable[[], str],
        api_version: str = "",
        models: Sequence[str] = (),
        timeout_s: float = 60.0,
        redact: Callable[[str], str],
        count: Callable[[str], TokenEstimate] = estimate_tokens,
        patience: Patience = PATIENCE,
    ) -> None:
        self.flavour, self.name = flavour, flavour.name
        self._connection = Connection(
            flavour, key, base_url, api_version=api_version, timeout_s=timeout_s, redact=redact
        )
        self._models, self._patience = tuple(models), patience
        self._listed: dict[str, date | None] = {}
        self._played: bool | None = True if flavour.always_simulated else None
        self._probe = Lock()
        self._launches = self._connection.for_launches()
        self.trainer = OpenAITrainer(self._launches, count) if flavour.can_train else None
        self.batcher = OpenAIBatcher(self._launches) if flavour.can_batch else None

    def __repr__(self) -> str:
        return f"OpenAICompatible({self.name!r})"

    @property
    def priced(self) -> bool:
        """Whether it charges: not where the server is in the user's own network."""
        return self.flavour.priced and not (self.flavour.own_hardware and self._connection.private)

    @property
    def simulated(self) -> bool:
        """Whether it only plays: a server on this machine is asked once, and answers in a header.

        One that cannot be reached counts as real until it can.
        """
        return bool(self.reachable_kind())

    def reachable_kind(self) -> bool | None:
        """Return whether it only plays; None for a server on this machine that does not answer.

        Nothing that costs money should be queued while this is None: what answers later might be either.
        """
        with self._probe:
            if self._played is None:
                self._played = self._is_played()
            return self._played

    def _is_played(self) -> bool | None:
        if not (self._connection.own_machine and self._connection.has_address):
            return False
        import httpx2  # noqa: PLC0415 - comes with the SDK, and is needed for local servers only

        try:
            response = httpx2.get(f"{self._connection.url()}/models", timeout=_PROBE_S, trust_env=False)
        except (httpx2.HTTPError, httpx2.InvalidURL):
            return None
        return response.headers.get("x-newstune-simulated") == "1"

    def load(self, model: ModelRef) -> ChatAsker:
        """Return what answers for a model version; connections are shared by all of them."""
        return ChatAsker(self._connection, model, self._patience)

    def card(self) -> ProviderCard:
        """Return what is known of it without asking; what it listed at the last check counts as certain."""
        flavour = self.flavour
        named = [BaseModel(name) for name in self._models]
        known = {model.name: model for model in (*named, *flavour.base_models)}
        if flavour.own_hardware and not known:
            known = {name: BaseModel(name) for name in self._listed}
        return ProviderCard(
            name=flavour.name,
            title=flavour.title,
            destination="this machine" if self._connection.own_machine else self._connection.host,
            keys=self._keys(),
            base_models=tuple(self._as_listed(model) for model in known.values()),
            hyperparameters=flavour.hyperparameters,
            dates=flavour.dates,
            notes=flavour.notes,
            min_rows=flavour.min_rows if flavour.can_train else 0,
        )

    def _keys(self) -> Mapping[str, bool]:
        keys = {}
        if self.flavour.key_needed:
            keys[self.flavour.key_setting] = self._connection.has_key
        if self.flavour.address_setting:
            keys[self.flavour.address_setting] = self._connection.has_address
        return keys

    def _as_listed(self, model: BaseModel) -> BaseModel:
        """Return a model with the day on which its vendor says that it is switched off."""
        if model.name not in self._listed:
            return model
        day = self._listed[model.name]
        if day is None:
            return replace(model, certain=True)
        reported = tuple(known for known in model.dates if known.what != "base_retires")
        own = KnownDate("base_retires", day, model.name, "the vendor's list of models")
        return replace(model, certain=True, dates=(own, *reported))

    def check(self, what: str) -> Preflight:
        """Ask it, by free calls only, whether it would "answer" or "train" now."""
        if what == "train" and self.trainer is None:
            return Preflight.blocked(f"{self.flavour.title} answers only; it does not train.", "no_training")
        try:
            listed = self._connection.everything(lambda client, **_: client.models.with_raw_response.list())
        except Fault as fault:
            return self._refusal(fault)
        self._listed = {str(model.get("id")): day_of(model.get("shutdown_date")) for model in listed}
        if what == "answer":
            return Preflight.ready(f"The key works; {len(listed)} models are offered.")
        return self._may_train()

    def _may_train(self) -> Preflight:
        if self.flavour.always_simulated:
            return Preflight.ready()
        try:
            limits = self._connection.get("/fine_tuning/model_limits") if self.flavour.asks_limits else None
        except Fault as fault:
            if fault.status == 403:
                return self._refusal(fault)
            limits = None
        named = _words(limits)
        tunable = [
            model.name for model in self.flavour.base_models if model.trainable and model.name in named
        ]
        if tunable:
            return Preflight.ready(f"The account's limits for trainings name {', '.join(tunable)}.")
        return Preflight.unknown(
            "The key works; whether this account may still create training jobs shows only at the start."
        )

    def _refusal(self, fault: Fault) -> Preflight:
        """Return what a failed question means: a refusal blocks, silence proves nothing."""
        error = as_error(fault, self.flavour, "asking for the models")
        sentence = f"{error.problem}. {error.remedy}."
        refused = fault.failure == Failure.KEY_REFUSED or fault.out_of_credit or fault.status == 403
        return Preflight.blocked(sentence, fault.code) if refused else Preflight.unknown(sentence, fault.code)

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()
        self._launches.close()


def _words(value: object) -> set[str]:
    """Return all texts in a JSON value, keys included: the form of the vendor's limits is not documented."""
    if isinstance(value, dict):
        return set(value).union(*map(_words, value.values()))
    if isinstance(value, list):
        return set().union(*map(_words, value))
    return {value} if isinstance(value, str) else set()
