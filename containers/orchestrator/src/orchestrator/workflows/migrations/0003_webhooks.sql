CREATE TABLE webhooks (
    name TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    -- Of which workflow; NULL for all.
    workflow TEXT,
    -- The states that are told, as a JSON list.
    states TEXT NOT NULL,
    secret TEXT NOT NULL,
    owner TEXT,
    -- Whose runs are told; NULL for everybody's.
    sight TEXT,
    disabled INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    webhook TEXT NOT NULL REFERENCES webhooks (name) ON DELETE CASCADE,
    body TEXT NOT NULL,
    created_at REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- When it is tried next; NULL when it was delivered, or given up.
    next_at REAL,
    delivered_at REAL,
    problem TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX deliveries_due ON deliveries (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX deliveries_of ON deliveries (webhook, created_at);

-- In the transaction that ends a run, whatever ends it: so no end is ever untold.
CREATE TRIGGER run_ends_are_told AFTER UPDATE OF ended_at ON runs
WHEN new.ended_at IS NOT NULL AND old.ended_at IS NULL AND new.parent IS NULL
BEGIN
INSERT INTO deliveries (id, webhook, body, created_at, next_at)
SELECT
    'msg_' || lower(hex(randomblob(12))),
    webhooks.name,
    json_object(
        'type', 'run.' || new.state,
        'timestamp', strftime('%Y-%m-%dT%H:%M:%SZ', new.ended_at, 'unixepoch'),
        'data', json_object(
            'run', new.id,
            'workflow', new.workflow,
            'version', new.version,
            'state', new.state,
            'reason', new.reason,
            'code', json_extract(new.problem, '$.code')
        )
    ),
    new.ended_at,
    new.ended_at
FROM webhooks
WHERE NOT webhooks.disabled
    AND (webhooks.workflow IS NULL OR webhooks.workflow = new.workflow)
    AND (webhooks.sight IS NULL OR webhooks.sight = new.owner)
    AND new.state IN (SELECT value FROM json_each(webhooks.states));
END;
