"""All tables. Every row carries the key of its cause, so lineage is a join.

Times are aware UTC, sentiments and states are closed sets held by CHECK constraints, and nothing
here validates: values are built by the services from checked domain values.
"""

from core.models.base import Base
from core.models.experiments import Experiment, ExperimentItem
from core.models.learning import (
    Champion,
    Comparison,
    DatasetItem,
    DatasetVersion,
    EvaluationRun,
    ModelVersion,
    Prediction,
    Promotion,
    TrainingEvent,
    TrainingJob,
)
from core.models.news import AccuracyLog, Article, DayScore, HumanLabel, ImportRun, MarketDay, Outcome
from core.models.operations import (
    Alert,
    Budget,
    CostEntry,
    JobRun,
    PredictionItem,
    PredictionRun,
    PriceEdit,
    ProviderCheck,
)

__all__ = [
    "AccuracyLog",
    "Alert",
    "Article",
    "Base",
    "Budget",
    "Champion",
    "Comparison",
    "CostEntry",
    "DatasetItem",
    "DatasetVersion",
    "DayScore",
    "EvaluationRun",
    "Experiment",
    "ExperimentItem",
    "HumanLabel",
    "ImportRun",
    "JobRun",
    "MarketDay",
    "ModelVersion",
    "Outcome",
    "Prediction",
    "PredictionItem",
    "PredictionRun",
    "PriceEdit",
    "Promotion",
    "ProviderCheck",
    "TrainingEvent",
    "TrainingJob",
]
