"""Sequences of services: what a button, a command, a request or a scheduled job sets in motion.

Services never call each other; a sequence that several callers need stands here once. Every function
takes the application, opens its own sessions, and holds no transaction over slow work.
"""

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
from core.workflows.models import (
    answer,
    compare,
    evaluate,
    evaluate_file,
    predict_text,
    promote,
    rollback,
)
from core.workflows.training import (
    build_dataset,
    cancel_training,
    export_files,
    export_zip,
    poll_training,
    preview_dataset,
    start_training,
    wait_for_training,
)

__all__ = [
    "JOBS",
    "Job",
    "answer",
    "backfill_market",
    "build_dataset",
    "cancel_training",
    "close_broken_runs",
    "compare",
    "evaluate",
    "evaluate_file",
    "exclude",
    "export_files",
    "export_zip",
    "follow_training",
    "health",
    "import_path",
    "label_article",
    "load_demo",
    "poll_training",
    "predict_text",
    "preview_dataset",
    "preview_table",
    "promote",
    "refresh",
    "remove_demo",
    "restore",
    "rollback",
    "run_job",
    "run_job_now",
    "settle_outcomes",
    "start_import_parent",
    "start_import_upload",
    "start_training",
    "wait_for_training",
]
