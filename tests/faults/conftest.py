"""A seeded database to copy: two hundred scenarios should not each insert ninety articles."""

import shutil

import pytest

from core.db import open_engine


@pytest.fixture
def seed(seeded, tmp_path):
    """Return a function that puts a copy of the seeded database into a folder."""
    source = seeded.settings.data_dir / "newstune.db"
    with seeded.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    kept = tmp_path / "seed.db"
    shutil.copyfile(source, kept)

    def into(folder):
        folder.mkdir(parents=True)
        shutil.copyfile(kept, folder / "newstune.db")
        open_engine(f"sqlite:///{folder / 'newstune.db'}").dispose()
        return folder

    return into
