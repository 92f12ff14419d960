"""Scoring model versions on the splits of dataset versions, and comparing two of them or many.

A model is scored on its *stored* predictions; what is missing is predicted first, where a local model
answers. So imported few-shot predictions, paid models and local ones go the same way.
"""

from core.services.evaluation.many import MOST_MODELS, check_many, compare_many
from core.services.evaluation.reports import SEED, compare_models, evaluate_model, scorable_model
from core.services.evaluation.seen import contaminated, selected_on

__all__ = [
    "MOST_MODELS",
    "SEED",
    "check_many",
    "compare_many",
    "compare_models",
    "contaminated",
    "evaluate_model",
    "scorable_model",
    "selected_on",
]
