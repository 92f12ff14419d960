"""live experiments"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('experiment',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('target', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('family', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('mode', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('purpose', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('status', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('champion_id', sa.Integer(), nullable=False),
    sa.Column('challenger_id', sa.Integer(), nullable=False),
    sa.Column('allocation', sa.Float(), nullable=True),
    sa.Column('deadline_s', sa.Float(), nullable=False),
    sa.Column('planned', sa.JSON(none_as_null=True), nullable=False),
    sa.Column('budget_micro_usd', sa.Integer(), nullable=False),
    sa.Column('simulated', sa.Boolean(), nullable=False),
    sa.Column('promotion_id', sa.Integer(), nullable=True),
    sa.Column('reason', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('actor', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('started_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('ends_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('ended_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.Column('conclusion', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('archived_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.CheckConstraint("family IN ('general', 'crypto')", name='ck_family'),
    sa.CheckConstraint("mode IN ('shadow', 'split')", name='ck_mode'),
    sa.CheckConstraint("purpose IN ('challenge', 'watch')", name='ck_purpose'),
    sa.CheckConstraint("status IN ('running', 'concluded', 'stopped')", name='ck_status'),
    sa.CheckConstraint("target IN ('sentiment', 'direction')", name='ck_target'),
    sa.CheckConstraint('allocation > 0 AND allocation < 1', name='ck_allocation'),
    sa.CheckConstraint('budget_micro_usd >= 0', name='ck_budget_not_negative'),
    sa.CheckConstraint('champion_id <> challenger_id', name='ck_two_models'),
    sa.CheckConstraint('deadline_s > 0', name='ck_deadline'),
    sa.ForeignKeyConstraint(['challenger_id'], ['model_version.id'], ),
    sa.ForeignKeyConstraint(['champion_id'], ['model_version.id'], ),
    sa.ForeignKeyConstraint(['promotion_id'], ['promotion.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('key'),
    sa.UniqueConstraint('promotion_id')
    )
    with op.batch_alter_table('experiment', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_experiment_challenger_id'), ['challenger_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_experiment_champion_id'), ['champion_id'], unique=False)
        batch_op.create_index('ix_experiment_status', ['status', 'target'], unique=False)

    op.create_table('experiment_item',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('experiment_id', sa.Integer(), nullable=False),
    sa.Column('article_id', sa.Integer(), nullable=False),
    sa.Column('request_id', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('arm', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('champion_sentiment', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('champion_failure', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('challenger_sentiment', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('challenger_failure', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('asked_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
    sa.Column('answered_at', sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True),
    sa.CheckConstraint("arm IN ('both', 'champion', 'challenger')", name='ck_arm'),
    sa.CheckConstraint("challenger_sentiment IN ('positive', 'neutral', 'negative')", name='ck_challenger_sentiment'),
    sa.CheckConstraint("champion_sentiment IN ('positive', 'neutral', 'negative')", name='ck_champion_sentiment'),
    sa.ForeignKeyConstraint(['article_id'], ['article.id'], ),
    sa.ForeignKeyConstraint(['experiment_id'], ['experiment.id'], ),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('experiment_id', 'article_id')
    )
    with op.batch_alter_table('experiment_item', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_experiment_item_article_id'), ['article_id'], unique=False)
        batch_op.create_index('ix_experiment_item_open', ['experiment_id', 'answered_at'], unique=False)

    allow_kind(op.get_bind(), "'few_shot', 'fine_tuned'", "'few_shot', 'fine_tuned', 'cascade'")


def allow_kind(connection: sa.Connection, before: str, after: str) -> None:
    """Widen the CHECK on a model version's kind in the stored schema, as SQLite documents it.

    Rebuilding the table would touch every row that refers to it; this changes one line of text. See "Making
    Other Kinds Of Table Schema Changes" at https://sqlite.org/lang_altertable.html.
    """
    old, new = f"CHECK (kind IN ({before}))", f"CHECK (kind IN ({after}))"
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema=ON")
    changed = connection.exec_driver_sql(
        "UPDATE sqlite_schema SET sql = replace(sql, ?, ?)"
        " WHERE type = 'table' AND name = 'model_version' AND instr(sql, ?) > 0",
        (old, new, old),
    ).rowcount
    connection.exec_driver_sql(f"PRAGMA schema_version={version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema=OFF")
    if changed != 1:
        raise RuntimeError("the table of model versions is not as revision 0002 left it")
