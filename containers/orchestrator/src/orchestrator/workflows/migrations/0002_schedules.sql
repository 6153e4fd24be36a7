CREATE TABLE schedules (
    name TEXT PRIMARY KEY,
    workflow TEXT NOT NULL,
    version INTEGER,
    inputs TEXT NOT NULL,
    cron TEXT NOT NULL,
    timezone TEXT NOT NULL,
    catch_up TEXT NOT NULL,
    paused INTEGER NOT NULL,
    owner TEXT,
    created_at REAL NOT NULL,
    -- The first time that has not been dealt with; NULL while it is paused.
    next_at REAL,
    last_run TEXT,
    last_at REAL,
    problem TEXT
) STRICT, WITHOUT ROWID;
