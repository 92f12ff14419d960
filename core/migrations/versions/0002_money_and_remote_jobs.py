"""money and remote jobs"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('alert',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('rule', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('message', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('detail', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('state', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('closed_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.CheckConstraint("state IN ('open', 'acknowledged', 'resolved')", name='ck_state'),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('key')
    )
    with op.batch_alter_table('alert', schema=None) as batch_op:
        batch_op.create_index('ix_alert_state', ['state', 'at'], unique=False)

    op.create_table('budget',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('monthly_micro_usd', sa.Integer(), nullable=False),
    sa.Column('warn_share', sa.Float(), nullable=False),
    sa.Column('actor', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.CheckConstraint('monthly_micro_usd >= 0', name='ck_monthly_not_negative'),
    sa.CheckConstraint('warn_share > 0 AND warn_share <= 1', name='ck_warn_share'),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_table('cost_entry',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('kind', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('purpose', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('reference', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('provider', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('model', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('micro_usd', sa.Integer(), nullable=False),
    sa.Column('simulated', sa.Boolean(), nullable=False),
    sa.Column('detail', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('actor', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.CheckConstraint("kind IN ('estimate', 'reservation', 'actual', 'release')", name='ck_kind'),
    sa.CheckConstraint("purpose IN ('training', 'inference', 'batch', 'hosting', 'gpu')", name='ck_purpose'),
    sa.CheckConstraint('micro_usd >= 0', name='ck_not_negative'),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('cost_entry', schema=None) as batch_op:
        batch_op.create_index('ix_cost_entry_reference', ['reference', 'kind', 'micro_usd'], unique=False)
        batch_op.create_index('ix_cost_entry_sum', ['simulated', 'kind', 'at', 'micro_usd'], unique=False)

    op.create_table('price_edit',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('provider', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('model', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('kind', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('usd', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('valid_until', sa.Date(), nullable=True),
    sa.Column('source', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('actor', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.CheckConstraint("kind IN ('training', 'input', 'cached_input', 'output', 'batch_input', 'batch_output', 'hosting_hour', 'gpu_hour')", name='ck_kind'),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('price_edit', schema=None) as batch_op:
        batch_op.create_index('ix_price_edit_key', ['provider', 'model', 'kind'], unique=False)

    op.create_table('provider_check',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('provider', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('what', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('status', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('reason', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('detail', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('provider', 'what')
    )
    op.create_table('prediction_run',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('model_id', sa.Integer(), nullable=False),
    sa.Column('mode', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('status', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('source', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('total', sa.Integer(), nullable=False),
    sa.Column('answered', sa.Integer(), nullable=False),
    sa.Column('failed', sa.Integer(), nullable=False),
    sa.Column('estimate_micro_usd', sa.Integer(), nullable=False),
    sa.Column('simulated', sa.Boolean(), nullable=False),
    sa.Column('handle', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('message', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('error', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('cancel_requested', sa.Boolean(), nullable=False),
    sa.Column('lease_owner', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('lease_until', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('submitted_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('actor', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('created_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('started_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('finished_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.CheckConstraint("mode IN ('direct', 'batch')", name='ck_mode'),
    sa.CheckConstraint("status IN ('reserved', 'submitting', 'queued', 'running', 'succeeded', 'failed', 'cancelled', 'blocked', 'unknown')", name='ck_status'),
    sa.ForeignKeyConstraint(['model_id'], ['model_version.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('key')
    )
    with op.batch_alter_table('prediction_run', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_prediction_run_model_id'), ['model_id'], unique=False)
        batch_op.create_index('ix_prediction_run_status', ['status', 'id'], unique=False)

    op.create_table('prediction_item',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('run_id', sa.Integer(), nullable=False),
    sa.Column('article_id', sa.Integer(), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('state', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('failure', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('detail', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.CheckConstraint("state IN ('pending', 'sent', 'ok', 'failed')", name='ck_state'),
    sa.ForeignKeyConstraint(['article_id'], ['article.id'], ),
    sa.ForeignKeyConstraint(['run_id'], ['prediction_run.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('run_id', 'article_id')
    )
    with op.batch_alter_table('prediction_item', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_prediction_item_article_id'), ['article_id'], unique=False)
        batch_op.create_index('ix_prediction_item_state', ['run_id', 'state', 'position'], unique=False)

    # Only ALTER TABLE ADD COLUMN: rebuilding a table would drop one that others refer to.
    text = sqlmodel.sql.sqltypes.AutoString()
    moment = sqlmodel.sql.sqltypes.UTCDateTime()
    for column in (
        sa.Column('prompt_tokens', sa.Integer(), nullable=True),
        sa.Column('completion_tokens', sa.Integer(), nullable=True),
        sa.Column('answered_by', text, nullable=True),
    ):
        op.add_column('prediction', column)
    for column in (
        sa.Column('key', text, nullable=True),
        sa.Column('dedupe_key', text, nullable=True),
        sa.Column('base_model', text, nullable=False, server_default=''),
        sa.Column('purpose', text, nullable=False, server_default='train'),
        sa.Column('group_key', text, nullable=True),
        sa.Column('simulated', sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column('lease_owner', text, nullable=True),
        sa.Column('lease_until', moment, nullable=True),
        sa.Column('submitted_at', moment, nullable=True),
        sa.Column('sweeps', sa.Integer(), nullable=False, server_default='0'),
        sa.Column('looked_at', moment, nullable=True),
    ):
        op.add_column('training_job', column)
    op.create_index('ix_training_job_key', 'training_job', ['key'], unique=True)
    op.create_index('ix_training_job_dedupe_key', 'training_job', ['dedupe_key'], unique=True)
    op.create_index('ix_training_job_group_key', 'training_job', ['group_key'], unique=False)
    for verb in ('UPDATE', 'DELETE'):
        op.execute(
            f"CREATE TRIGGER cost_entry_no_{verb.lower()} BEFORE {verb} ON cost_entry "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        )
