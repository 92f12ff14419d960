"""Live experiments: who is compared with whom on new articles, and what each of them answered."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field

from core.domain.types import (
    Arm,
    ExperimentMode,
    ExperimentPurpose,
    ExperimentStatus,
    Family,
    Sentiment,
    Target,
)
from core.models.base import Base, json_column, one_of


class Experiment(Base, table=True):
    """A champion against a challenger on live articles, planned before its start."""

    __table_args__ = (
        one_of("target", Target),
        one_of("family", Family),
        one_of("mode", ExperimentMode),
        one_of("purpose", ExperimentPurpose),
        one_of("status", ExperimentStatus),
        CheckConstraint("champion_id <> challenger_id", name="ck_two_models"),
        CheckConstraint("allocation > 0 AND allocation < 1", name="ck_allocation"),
        CheckConstraint("deadline_s > 0", name="ck_deadline"),
        CheckConstraint("budget_micro_usd >= 0", name="ck_budget_not_negative"),
        Index("ix_experiment_status", "status", "target"),
    )
    id: int | None = Field(default=None, primary_key=True)
    #: salt of the assignment and name in the ledger
    key: str = Field(unique=True)
    target: str
    #: None: articles of every family
    family: str | None = None
    mode: str = ExperimentMode.SHADOW
    purpose: str = ExperimentPurpose.CHALLENGE
    status: str = ExperimentStatus.RUNNING
    champion_id: int = Field(foreign_key="model_version.id", index=True)
    challenger_id: int = Field(foreign_key="model_version.id", index=True)
    #: share of the articles that the challenger answers; of the split mode only
    allocation: float | None = None
    #: seconds after which the challenger's answer counts as none
    deadline_s: float
    #: what was expected before the start: effect, discordance, power, articles, articles a day, days
    planned: dict[str, Any] = Field(default_factory=dict, sa_column=json_column(dict))
    #: what its questions may cost in all, as a person agreed; 0: nothing that costs money is asked
    budget_micro_usd: int = 0
    simulated: bool = False
    #: of a watch: the promotion that it watches; unique, so that there is one
    promotion_id: int | None = Field(default=None, foreign_key="promotion.id", unique=True)
    reason: str = ""
    actor: str
    started_at: datetime
    #: when it ends by itself
    ends_at: datetime
    ended_at: datetime | None = None
    #: the evidence in force when it ended, as plain numbers and lists
    conclusion: dict[str, Any] | None = Field(default=None, sa_column=json_column(nullable=True))
    archived_at: datetime | None = None


class ExperimentItem(Base, table=True):
    """What the models of an experiment said of one article. Its first question counts, later ones do not.

    A side has a sentiment, or a failure (which counts as wrong), or neither while it is still to be asked.
    In the split mode only the side named by `arm` is asked.
    """

    __tablename__ = "experiment_item"
    __table_args__ = (
        UniqueConstraint("experiment_id", "article_id"),
        one_of("arm", Arm),
        one_of("champion_sentiment", Sentiment),
        one_of("challenger_sentiment", Sentiment),
        Index("ix_experiment_item_open", "experiment_id", "answered_at"),
    )
    id: int | None = Field(default=None, primary_key=True)
    experiment_id: int = Field(foreign_key="experiment.id")
    article_id: int = Field(foreign_key="article.id", index=True)
    #: of the question that brought it; "" where the scheduled job asked
    request_id: str = ""
    arm: str
    champion_sentiment: str | None = None
    #: code of domain.types.Failure
    champion_failure: str | None = None
    challenger_sentiment: str | None = None
    challenger_failure: str | None = None
    asked_at: datetime
    #: when the last side was known; None while one is still to be asked
    answered_at: datetime | None = None
