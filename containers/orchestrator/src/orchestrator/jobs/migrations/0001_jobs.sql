CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    service TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    headers TEXT NOT NULL,
    request_id TEXT NOT NULL,
    idempotency_key TEXT UNIQUE,
    fingerprint TEXT NOT NULL,
    -- Which dispatch of the job may write; a fence against executions that were given up.
    dispatch INTEGER NOT NULL DEFAULT 1,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- How often it had begun and was broken off, by the service or by a crash of the orchestrator.
    breaks INTEGER NOT NULL DEFAULT 0,
    fraction REAL,
    message TEXT NOT NULL DEFAULT '',
    -- Times are seconds since 1970, UTC.
    created_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    next_attempt_at REAL,
    first_failed_at REAL,
    result_type TEXT,
    result_bytes INTEGER,
    problem TEXT
) STRICT;

CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_by_service ON jobs (service, id);
CREATE INDEX jobs_by_end ON jobs (ended_at) WHERE ended_at IS NOT NULL;

-- What happened to each job, in order.
CREATE TABLE job_events (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at REAL NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    PRIMARY KEY (job_id, number)
) STRICT, WITHOUT ROWID;

-- A job ends once: the database itself refuses a second end.
CREATE UNIQUE INDEX job_ends_once ON job_events (job_id)
WHERE state IN ('succeeded', 'failed', 'cancelled');

-- Requests and answers that are small. Longer ones are files.
CREATE TABLE job_bodies (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    part TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (job_id, part)
) STRICT, WITHOUT ROWID;
