-- name: run
SELECT * FROM runs WHERE id = :id;

-- name: by_key
SELECT * FROM runs WHERE idempotency_key = :idempotency_key;

-- name: insert
INSERT INTO runs (
    id, workflow, version, definition, owner, parent, depth, state, reason, request_id,
    idempotency_key, fingerprint, created_at, inputs
)
VALUES (
    :id, :workflow, :version, :definition, :owner, :parent, :depth, :state, :reason, :request_id,
    :idempotency_key, :fingerprint, :now, :inputs
)
RETURNING *;

-- name: waiting
SELECT COUNT(*) AS count FROM runs WHERE state = 'queued';

-- name: page
SELECT * FROM runs
WHERE workflow = :workflow
    AND (:cursor IS NULL OR id < :cursor)
    AND (:state IS NULL OR state = :state)
    AND (:sight IS NULL OR owner = :sight)
ORDER BY id DESC
LIMIT :limit;

-- name: begin
UPDATE runs SET state = 'running', reason = :reason, started_at = :now
WHERE id = :id AND state = 'queued'
RETURNING *;

-- name: end
UPDATE runs
SET
    state = :state,
    reason = :reason,
    fraction = CASE :state WHEN 'succeeded' THEN 1.0 ELSE fraction END,
    ended_at = :now,
    outputs = :outputs,
    problem = :problem
WHERE id = :id AND ended_at IS NULL
RETURNING *;

-- name: cancel_queued
UPDATE runs SET state = 'cancelled', reason = :reason, ended_at = :now
WHERE id = :id AND state = 'queued' AND (:sight IS NULL OR owner = :sight)
RETURNING *;

-- name: ask_cancel
UPDATE runs SET state = 'cancelling', reason = :reason
WHERE id = :id AND state = 'running' AND (:sight IS NULL OR owner = :sight)
RETURNING *;

-- name: reopen
UPDATE runs
SET state = 'queued', reason = :reason, tries = tries + 1, started_at = NULL, ended_at = NULL, problem = NULL
WHERE id = :id AND state IN ('failed', 'cancelled') AND tries = :tries
RETURNING *;

-- name: forget
DELETE FROM runs
WHERE id = :id AND ended_at IS NOT NULL AND (:sight IS NULL OR owner = :sight)
RETURNING *;

-- name: ended_before
SELECT id FROM runs WHERE ended_at < :before AND parent IS NULL ORDER BY ended_at LIMIT :limit;

-- name: unended
SELECT * FROM runs WHERE ended_at IS NULL ORDER BY id;

-- name: set_fraction
UPDATE runs SET fraction = :fraction WHERE id = :id;

-- name: steps
SELECT * FROM run_steps WHERE run_id = :id;

-- name: put_step
INSERT INTO run_steps (run_id, step, state, total, over, started_at, ended_at, problem)
VALUES (:id, :step, :state, :total, :over, :started_at, :ended_at, :problem)
ON CONFLICT (run_id, step) DO UPDATE SET
    state = :state, ended_at = :ended_at, problem = :problem;

-- name: delete_step
DELETE FROM run_steps WHERE run_id = :id AND step = :step;

-- name: items
SELECT run_id, step, number, state, attempts, job, started_at, next_attempt_at, problem FROM run_items
WHERE run_id = :id ORDER BY step, number;

-- name: results
SELECT step, number, result FROM run_items WHERE run_id = :id AND result IS NOT NULL;

-- name: short_results
SELECT step, number, result FROM run_items
WHERE run_id = :id AND result IS NOT NULL AND LENGTH(result) <= :most
ORDER BY step, number;

-- name: result
SELECT result FROM run_items WHERE run_id = :id AND step = :step AND number = :number AND state = 'succeeded';

-- name: put_item
INSERT INTO run_items (
    run_id, step, number, state, attempts, job, started_at, next_attempt_at, result, problem
)
VALUES (:id, :step, :number, :state, :attempts, :job, :started_at, :next_attempt_at, :result, :problem)
ON CONFLICT (run_id, step, number) DO UPDATE SET
    state = :state,
    attempts = :attempts,
    job = :job,
    started_at = :started_at,
    next_attempt_at = :next_attempt_at,
    result = :result,
    problem = :problem;

-- name: insert_event
INSERT INTO run_events (run_id, number, at, state, step, item, step_state, message, fraction)
SELECT
    runs.id,
    COALESCE((SELECT MAX(run_events.number) FROM run_events WHERE run_events.run_id = runs.id), 0) + 1,
    :at,
    runs.state,
    :step,
    :item,
    :step_state,
    :message,
    runs.fraction
FROM runs WHERE runs.id = :id;

-- name: events
SELECT * FROM run_events WHERE run_id = :id AND number > :after ORDER BY number LIMIT :limit;
