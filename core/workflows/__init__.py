"""Sequences of services: what a button, a command, a request or a scheduled job sets in motion.

Services never call each other; a sequence that several callers need stands here once. Every function
takes the application, opens its own sessions, and holds no transaction over slow work.
"""

from core.services.experiments import Wish
from core.services.training import Request, TrainingQuote
from core.workflows.alerts import acknowledge_alert
from core.workflows.analysis import AnalysisWish, analysis_day, as_analysis
from core.workflows.answers import SERVED, answer, as_parent, predict_text, served_models
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
from core.workflows.cascades import cascade_curve, create_cascade
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
from core.workflows.desk import AnswerDesk
from core.workflows.desk_of_app import desk_of
from core.workflows.experiment_job import follow_experiments
from core.workflows.experiments import (
    Plan,
    SidePrice,
    archive_experiment,
    experiment_evidence,
    plan_experiment,
    start_experiment,
    stop_experiment,
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
from core.workflows.promotion import GateReport, Promoted, promote, promotion_gates, rollback
from core.workflows.proof import proof_pack, write_proof
from core.workflows.providers import (
    ProviderState,
    check_provider,
    dates,
    provider_states,
    providers_report,
)
from core.workflows.scoring import compare, compare_many, evaluate, evaluate_file
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
    "SERVED",
    "AnalysisWish",
    "AnswerDesk",
    "GateReport",
    "Job",
    "Plan",
    "PredictionQuote",
    "Promoted",
    "ProviderState",
    "Request",
    "SidePrice",
    "Started",
    "SweepQuote",
    "TrainingQuote",
    "Wish",
    "acknowledge_alert",
    "analysis_day",
    "answer",
    "archive_experiment",
    "article_costs",
    "as_analysis",
    "as_parent",
    "backfill_market",
    "budget_report",
    "build_dataset",
    "cancel_predictions",
    "cancel_training",
    "cascade_curve",
    "check_provider",
    "close_broken_runs",
    "compare",
    "compare_many",
    "costs_report",
    "create_cascade",
    "create_few_shot",
    "dates",
    "desk_of",
    "drive_predictions",
    "edit_price",
    "evaluate",
    "evaluate_file",
    "exclude",
    "experiment_evidence",
    "export_files",
    "export_ledger",
    "export_zip",
    "follow_experiments",
    "follow_predictions",
    "follow_training",
    "health",
    "hourly_price",
    "import_path",
    "label_article",
    "load_demo",
    "pilot",
    "plan_experiment",
    "poll_training",
    "predict_file",
    "predict_text",
    "preview_dataset",
    "preview_table",
    "price_table",
    "promote",
    "promotion_gates",
    "proof_pack",
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
    "served_models",
    "set_budget",
    "settle_outcomes",
    "start_experiment",
    "start_import_parent",
    "start_import_upload",
    "start_predictions",
    "start_sweep",
    "start_training",
    "stop_experiment",
    "wait_for_predictions",
    "wait_for_training",
    "write_proof",
]
