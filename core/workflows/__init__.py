"""Sequences of services: what a button, a command, a request or a scheduled job sets in motion.

Services never call each other; a sequence that several callers need stands here once. Every function
takes the application, opens its own sessions, and holds no transaction over slow work.
"""

from core.services.training import Request, TrainingQuote
from core.workflows.alerts import acknowledge_alert
from core.workflows.answers import answer, predict_text
from core.workflows.background import (
    JOBS,
    Job,
    close_broken_runs,
    follow_training,
    health,
    run_job,
    run_job_now,
    settle_outcomes,
)
from core.workflows.costs import (
    budget_report,
    costs_report,
    export_ledger,
    record_hours,
    set_budget,
)
from core.workflows.data import (
    backfill_market,
    exclude,
    import_path,
    label_article,
    load_demo,
    preview_table,
    refresh,
    remove_demo,
    restore,
    start_import_parent,
    start_import_upload,
)
from core.workflows.prediction_file import predict_file
from core.workflows.predictions import (
    PredictionQuote,
    cancel_predictions,
    create_few_shot,
    drive_predictions,
    follow_predictions,
    quote_predictions,
    resolve_run,
    retry_failed,
    start_predictions,
    wait_for_predictions,
)
from core.workflows.prices import article_costs, edit_price, hourly_price, price_table
from core.workflows.promotion import promote, rollback
from core.workflows.providers import (
    ProviderState,
    check_provider,
    dates,
    provider_states,
    providers_report,
)
from core.workflows.scoring import compare, evaluate, evaluate_file
from core.workflows.sweeps import PILOT_ROWS, SweepQuote, pilot, quote_sweep, start_sweep
from core.workflows.training import (
    Started,
    build_dataset,
    cancel_training,
    export_files,
    export_zip,
    poll_training,
    preview_dataset,
    quote_training,
    resolve_unknown,
    start_training,
    wait_for_training,
)

__all__ = [
    "JOBS",
    "PILOT_ROWS",
    "Job",
    "PredictionQuote",
    "ProviderState",
    "Request",
    "Started",
    "SweepQuote",
    "TrainingQuote",
    "acknowledge_alert",
    "answer",
    "article_costs",
    "backfill_market",
    "budget_report",
    "build_dataset",
    "cancel_predictions",
    "cancel_training",
    "check_provider",
    "close_broken_runs",
    "compare",
    "costs_report",
    "create_few_shot",
    "dates",
    "drive_predictions",
    "edit_price",
    "evaluate",
    "evaluate_file",
    "exclude",
    "export_files",
    "export_ledger",
    "export_zip",
    "follow_predictions",
    "follow_training",
    "health",
    "hourly_price",
    "import_path",
    "label_article",
    "load_demo",
    "pilot",
    "poll_training",
    "predict_file",
    "predict_text",
    "preview_dataset",
    "preview_table",
    "price_table",
    "promote",
    "provider_states",
    "providers_report",
    "quote_predictions",
    "quote_sweep",
    "quote_training",
    "record_hours",
    "refresh",
    "remove_demo",
    "resolve_run",
    "resolve_unknown",
    "restore",
    "retry_failed",
    "rollback",
    "run_job",
    "run_job_now",
    "set_budget",
    "settle_outcomes",
    "start_import_parent",
    "start_import_upload",
    "start_predictions",
    "start_sweep",
    "start_training",
    "wait_for_predictions",
    "wait_for_training",
]
