CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    -- SHA-256 of the whole key; the key itself is kept nowhere.
    digest BLOB NOT NULL,
    -- JSON lists.
    scopes TEXT NOT NULL,
    models TEXT NOT NULL,
    requests_per_minute INTEGER,
    tokens_per_minute INTEGER,
    parallel INTEGER,
    -- Times are seconds since 1970, UTC.
    created_at REAL NOT NULL,
    expires_at REAL,
    revoked_at REAL,
    -- What a rotation replaced, and until when it still opens.
    previous BLOB NOT NULL DEFAULT (zeroblob(32)),
    previous_until REAL NOT NULL DEFAULT 0
) STRICT;

-- A name means one key; those of revoked keys are free again.
CREATE UNIQUE INDEX one_key_a_name ON keys (name) WHERE revoked_at IS NULL;
