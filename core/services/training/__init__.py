"""Training jobs: queue, launch, follow, cancel, and register what comes out.

Every function may be called by several processes at once (a page, the scheduler, the command line): a job
changes state by compare-and-swap, one driver at a time holds its lease, and no transaction is open while a
trainer is spoken to. A paid job is an intent: its row and its reservation are written together before
anything is sent, and whoever resumes it goes on with the handle that was saved last.
"""

from core.services.training.duplicates import look_for_duplicates, resolve_unknown
from core.services.training.follow import has_work, poll_jobs
from core.services.training.jobs import Desk, job_folder
from core.services.training.launch import launch_next
from core.services.training.queue import (
    Queued,
    Request,
    TrainingQuote,
    queue_trainings,
    quote_training,
    request_cancel,
)
from core.services.training.spec import training_spec

__all__ = [
    "Desk",
    "Queued",
    "Request",
    "TrainingQuote",
    "has_work",
    "job_folder",
    "launch_next",
    "look_for_duplicates",
    "poll_jobs",
    "queue_trainings",
    "quote_training",
    "request_cancel",
    "resolve_unknown",
    "training_spec",
]
