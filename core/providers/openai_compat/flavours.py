"""The vendors as data: what each can do, its limits and settings, its models with their dates, its warnings.

Nothing here was asked of a vendor. What only third parties report, or a vendor's page leaves open, is
marked as not certain and shown as such.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from core.domain.types import JobStatus
from core.providers.base import BaseModel, HyperParameter, KnownDate
from core.providers.openai_compat.deploy import deploy_adapter

if TYPE_CHECKING:
    from core.providers.openai_compat.client import Connection

    Deploy = Callable[[Connection, Mapping[str, Any], Sequence[Mapping[str, Any]]], str | None]


@dataclass(frozen=True)
class Flavour:
    """One vendor.

    Parameters
    ----------
    name, title : str
        In tables and commands, and for people.
    key_setting, address_setting : str
        Names of the settings with its key and its address; "" where it needs none.
    key_needed : bool
        Whether it refuses to answer without a key.
    priced : bool
        Whether it charges.
    own_hardware : bool
        Its server may be the user's own: on a private address nothing is charged.
    always_simulated : bool
        Whether all that it produces is SIMULATED.
    can_train, can_batch : bool
        Whether it has fine-tuning jobs and batches.
    lookup : bool
        Whether a job that is missing from its list was never created. Where this is not known, a launch
        whose answer was lost is never sent again by itself.
    asks_limits : bool
        Whether it may tell what this account can tune (``/fine_tuning/model_limits``, not documented).
    suffix_max : int
        Characters of the name that is added to a tuned model's.
    bom : bool
        Whether its training files begin with a byte order mark.
    may_bill : frozenset of JobStatus
        Ends without a model after which a training that had begun may be charged all the same.
    min_rows : int
        Training rows under which it refuses a file.
    answer_format : str
        How the shape of an answer is asked for: "json_schema", "json_object" or "".
    length_setting : str
        The request's field with the longest answer in tokens.
    hyperparameters : tuple of HyperParameter
        Settings of a training by the vendor's names.
    body_settings : frozenset of str
        Those of them that stand beside `method` in the request, not in it.
    base_models, dates, notes
        As on the provider's card.
    deploy : callable or None
        ``deploy(connection, job, checkpoints)`` returns the name under which a trained model answers, or None
        while it is being set up; for vendors where that takes a request of its own.
    """

    name: str
    title: str
    key_setting: str = ""
    address_setting: str = ""
    key_needed: bool = True
    priced: bool = True
    own_hardware: bool = False
    always_simulated: bool = False
    can_train: bool = False
    can_batch: bool = False
    lookup: bool = False
    asks_limits: bool = False
    suffix_max: int = 64
    bom: bool = False
    may_bill: frozenset[JobStatus] = frozenset({JobStatus.FAILED, JobStatus.CANCELLED})
    min_rows: int = 10
    answer_format: str = "json_schema"
    length_setting: str = "max_completion_tokens"
    hyperparameters: tuple[HyperParameter, ...] = ()
    body_settings: frozenset[str] = frozenset()
    base_models: tuple[BaseModel, ...] = ()
    dates: tuple[KnownDate, ...] = ()
    notes: tuple[str, ...] = ()
    deploy: "Deploy | None" = field(default=None, repr=False)


_EPOCHS = HyperParameter(
    "n_epochs", "int", 3, 1, 50, about="Passes over the training rows; the price grows in proportion."
)
_BATCH = HyperParameter(
    "batch_size", "int", None, 1, 256, about="Rows of one step; the vendor chooses by the number of rows."
)
_RATE = HyperParameter(
    "learning_rate_multiplier", "float", None, 0.01, 10, about="Factor on the learning rate; less is gentler."
)

_OPENAI_PAGE = "developers.openai.com/api/docs/deprecations, read in a translated copy"
_OPENAI_REPORTS = "reports on developers.openai.com/api/docs/deprecations of May and July 2026"
_OPENAI_END = date(2027, 1, 14)


def _tunable_until_the_end(name: str) -> BaseModel:
    """Return one of OpenAI's last tunable models; they and what was tuned from them end on one day."""
    ends = (
        KnownDate(what, _OPENAI_END, name, _OPENAI_PAGE, False) for what in ("base_retires", "tuned_retires")
    )
    return BaseModel(name, trainable=True, dates=tuple(ends), certain=False)


OPENAI = Flavour(
    name="openai",
    title="OpenAI",
    key_setting="OPENAI_API_KEY",
    can_train=True,
    can_batch=True,
    lookup=True,
    asks_limits=True,
    hyperparameters=(_EPOCHS, _BATCH, _RATE),
    base_models=(
        BaseModel("gpt-6-luna", certain=False),
        BaseModel("gpt-6.1-terra", certain=False),
        BaseModel("gpt-6.1-sol", certain=False),
        BaseModel(
            "gpt-5.4-nano",
            dates=(KnownDate("base_retires", date(2027, 4, 1), "gpt-5.4-nano", "price list", False),),
            certain=False,
        ),
        *map(
            _tunable_until_the_end,
            (
                "gpt-4.1-mini-2025-04-14",
                "gpt-4.1-2025-04-14",
                "gpt-4o-mini-2024-07-18",
                "gpt-4o-2024-08-06",
            ),
        ),
    ),
    dates=(KnownDate("new_jobs_end", date(2027, 1, 6), "", _OPENAI_REPORTS, False),),
    notes=(
        "OpenAI is closing self-serve fine-tuning: accounts that have never tuned, or have not used a tuned model for 60 days, are reported to be refused already (403 training_not_available).",
        "The refusal comes only when the job is created, after the files were uploaded; they are deleted then.",
        "Tuned models are reported to be switched off together with their base models, on 2027-01-14.",
        "Training is billed by the tokens of the file times the epochs; no hosting fee is listed.",
        "Whether a training that fails or is cancelled after it has begun is charged is not documented: it is booked at its estimate.",
        "News texts leave this machine and go to OpenAI.",
    ),
)

_AZURE_PAGE = "learn.microsoft.com, Foundry model retirement schedule of 2026-07-07"


def _azure_model(name: str, new_jobs_end: date, tuned_retires: date) -> BaseModel:
    dates = (
        KnownDate("new_jobs_end", new_jobs_end, name, _AZURE_PAGE, False),
        KnownDate("tuned_retires", tuned_retires, name, _AZURE_PAGE),
    )
    return BaseModel(name, answers=False, trainable=True, dates=dates, certain=False)


AZURE = Flavour(
    name="azure",
    title="Azure OpenAI",
    key_setting="AZURE_OPENAI_API_KEY",
    address_setting="AZURE_OPENAI_ENDPOINT",
    can_train=True,
    suffix_max=18,
    bom=True,
    may_bill=frozenset({JobStatus.CANCELLED}),
    hyperparameters=(
        _EPOCHS,
        _BATCH,
        _RATE,
        HyperParameter(
            "trainingType",
            "choice",
            None,
            choices=("Standard", "GlobalStandard", "Developer"),
            about="Where it is trained and at what price; the accepted words are not confirmed.",
        ),
    ),
    body_settings=frozenset({"trainingType"}),
    base_models=(
        _azure_model("gpt-4.1-mini-2025-04-14", date(2027, 4, 14), date(2027, 10, 14)),
        _azure_model("gpt-4.1-2025-04-14", date(2027, 4, 14), date(2027, 10, 14)),
        _azure_model("gpt-4.1-nano-2025-04-14", date(2027, 4, 14), date(2027, 10, 14)),
        _azure_model("gpt-4o-mini-2024-07-18", date(2027, 4, 1), date(2027, 10, 1)),
        _azure_model("gpt-4o-2024-08-06", date(2027, 4, 1), date(2027, 10, 1)),
    ),
    notes=(
        "A tuned model must be deployed in the Azure portal before it answers; enter the deployment's name as the model.",
        "A Standard or Global Standard deployment costs $1.70 an hour even when idle, about $1,224 a month. A Developer deployment has no hourly fee and is deleted after 24 hours.",
        "A training that is cancelled midway is charged; waiting and failed ones are not.",
        "Training beyond a base model's own retirement is for existing customers only; whether a new customer may train today is not confirmed.",
        "Whether jobs can be found by their metadata is not confirmed: a launch whose answer is lost is never sent again by itself.",
        "News texts leave this machine and go to the region of your Azure resource.",
    ),
)

NEBIUS = Flavour(
    name="nebius",
    title="Nebius Token Factory",
    key_setting="NEBIUS_API_KEY",
    can_train=True,
    answer_format="json_object",
    length_setting="max_tokens",
    hyperparameters=(
        _EPOCHS,
        _BATCH,
        HyperParameter("learning_rate", "float", None, 1e-7, 0.01, about="Step size of the optimiser."),
        HyperParameter(
            "lora",
            "choice",
            "true",
            choices=("true", "false"),
            about="Train a small adapter, not all weights.",
        ),
        HyperParameter("lora_r", "int", None, 1, 256, about="Rank of the adapter."),
        HyperParameter("context_length", "int", None, 512, 131_072, about="Tokens of a row at most."),
    ),
    base_models=(
        BaseModel("meta-llama/Meta-Llama-3.1-8B-Instruct", trainable=True, certain=False),
        BaseModel("meta-llama/Llama-3.3-70B-Instruct", trainable=True, certain=False),
    ),
    notes=(
        "The models that can be tuned and served, and their prices, are not confirmed: adapters were reported for these two models in March 2026.",
        "After a training the adapter is set up for answering by a further request; whether that costs anything is not confirmed. Where the list of what is set up cannot be read, it is not sent.",
        "Whether a training that fails or is cancelled after it has begun is charged is not known: it is booked at its estimate.",
        "Whether jobs can be found by their metadata is not confirmed: a launch whose answer is lost is never sent again by itself.",
        "News texts leave this machine and go to Nebius.",
    ),
    deploy=deploy_adapter,
)

CUSTOM = Flavour(
    name="custom",
    title="OpenAI-compatible server",
    key_setting="CUSTOM_API_KEY",
    address_setting="CUSTOM_BASE_URL",
    key_needed=False,
    own_hardware=True,
    answer_format="json_object",
    length_setting="max_tokens",
    notes=(
        "Answers only: vLLM, Ollama, llama.cpp or any gateway. A model that was trained elsewhere is served there and used under its name.",
        "News texts go to the host that you entered.",
    ),
)

SIMULATOR = Flavour(
    name="simulator",
    title="Simulator (SIMULATED)",
    key_needed=False,
    always_simulated=True,
    can_train=True,
    can_batch=True,
    lookup=True,
    hyperparameters=(_EPOCHS, _BATCH, _RATE),
    base_models=(
        BaseModel("gpt-4.1-mini-2025-04-14", trainable=True),
        BaseModel("gpt-6-luna"),
    ),
    notes=(
        "A server on this machine that plays the paid flow: jobs, answers and bills are SIMULATED and say nothing about any model.",
    ),
)
