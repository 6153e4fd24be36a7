CREATE TABLE workflows (
    name TEXT PRIMARY KEY,
    latest INTEGER NOT NULL,
    -- The id of the key that stored it first; NULL without one.
    owner TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE workflow_versions (
    name TEXT NOT NULL REFERENCES workflows (name) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    source TEXT NOT NULL,
    -- What the file says, as JSON.
    definition TEXT NOT NULL,
    created_at REAL NOT NULL,
    PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    workflow TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- As it was when the run was made: the workflow may be deleted meanwhile.
    definition TEXT NOT NULL,
    owner TEXT,
    -- Of a run that is a step of another: whose, and how many there are above it.
    parent TEXT REFERENCES runs (id) ON DELETE CASCADE,
    depth INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    request_id TEXT NOT NULL,
    -- `<owner> <key>` where there is an owner; no key has a space in it.
    idempotency_key TEXT UNIQUE,
    fingerprint TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 1,
    fraction REAL NOT NULL DEFAULT 0,
    -- Times are seconds since 1970, UTC.
    created_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    inputs TEXT NOT NULL,
    outputs TEXT,
    problem TEXT
) STRICT;

CREATE INDEX runs_by_workflow ON runs (workflow, id);
CREATE INDEX runs_by_parent ON runs (parent) WHERE parent IS NOT NULL;
CREATE INDEX runs_by_end ON runs (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX runs_at_work ON runs (id) WHERE ended_at IS NULL;

-- Steps that have begun; the others are only in the definition.
CREATE TABLE run_steps (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step TEXT NOT NULL,
    state TEXT NOT NULL,
    -- How many calls it has.
    total INTEGER NOT NULL,
    -- What `for_each` goes over, as JSON.
    over TEXT,
    started_at REAL NOT NULL,
    ended_at REAL,
    problem TEXT,
    PRIMARY KEY (run_id, step)
) STRICT, WITHOUT ROWID;

-- Calls that have begun.
CREATE TABLE run_items (
    run_id TEXT NOT NULL,
    step TEXT NOT NULL,
    number INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    -- The job, or the run, of the last attempt.
    job TEXT,
    started_at REAL NOT NULL,
    next_attempt_at REAL,
    result TEXT,
    problem TEXT,
    PRIMARY KEY (run_id, step, number),
    FOREIGN KEY (run_id, step) REFERENCES run_steps (run_id, step) ON DELETE CASCADE
) STRICT;

-- What happened to each run, in order.
CREATE TABLE run_events (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at REAL NOT NULL,
    state TEXT NOT NULL,
    step TEXT,
    item INTEGER,
    step_state TEXT,
    message TEXT NOT NULL,
    fraction REAL NOT NULL,
    PRIMARY KEY (run_id, number)
) STRICT, WITHOUT ROWID;
