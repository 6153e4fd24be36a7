-- name: count_by_service_and_state
SELECT service, state, COUNT(*) AS count FROM jobs GROUP BY service, state;

-- name: insert_job
INSERT INTO jobs (
    id, state, reason, service, method, path, headers, request_id,
    idempotency_key, fingerprint, owner, tokens_held, created_at
)
VALUES (
    :id, :state, :reason, :service, :method, :path, :headers, :request_id,
    :idempotency_key, :fingerprint, :owner, :tokens_held, :now
)
RETURNING *;

-- name: count_pending
SELECT COUNT(*) AS count FROM jobs WHERE state IN ('queued', 'waiting');

-- name: job
SELECT * FROM jobs WHERE id = :id;

-- name: job_by_key
SELECT * FROM jobs WHERE idempotency_key = :idempotency_key;

-- name: page
SELECT * FROM jobs
WHERE (:cursor IS NULL OR id < :cursor)
    AND (:state IS NULL OR state = :state)
    AND (:service IS NULL OR service = :service)
    AND (:sight IS NULL OR owner = :sight)
ORDER BY id DESC
LIMIT :limit;

-- name: start
UPDATE jobs
SET
    state = :state,
    reason = :reason,
    detail = '',
    attempts = attempts + 1,
    breaks = breaks + :breaks,
    fraction = NULL,
    message = '',
    started_at = :now,
    next_attempt_at = NULL
WHERE id = :id AND dispatch = :dispatch
    AND state IN (SELECT value FROM json_each(:sources))
RETURNING *;

-- name: release
UPDATE jobs
SET state = :state, reason = :reason, detail = ''
WHERE id = :id AND dispatch = :dispatch
    AND state IN (SELECT value FROM json_each(:sources))
RETURNING *;

-- name: postpone
UPDATE jobs
SET
    state = :state,
    reason = :reason,
    detail = :detail,
    breaks = breaks + :breaks,
    dispatch = dispatch + 1,
    next_attempt_at = :next_attempt_at,
    first_failed_at = COALESCE(first_failed_at, :now)
WHERE id = :id AND dispatch = :dispatch
    AND state IN (SELECT value FROM json_each(:sources))
RETURNING *;

-- name: end
UPDATE jobs
SET
    state = :state,
    reason = :reason,
    detail = :detail,
    fraction = CASE :state WHEN 'succeeded' THEN 1.0 ELSE fraction END,
    ended_at = :now,
    next_attempt_at = NULL,
    result_type = :result_type,
    result_bytes = :result_bytes,
    problem = :problem
WHERE id = :id AND (:dispatch IS NULL OR dispatch = :dispatch)
    AND state IN (SELECT value FROM json_each(:sources))
RETURNING *;

-- name: ask_cancel
UPDATE jobs
SET state = :state, reason = :reason, detail = ''
WHERE id = :id AND state IN (SELECT value FROM json_each(:sources))
RETURNING *;

-- name: redispatch
UPDATE jobs SET dispatch = dispatch + 1
WHERE id = :id AND dispatch = :dispatch AND ended_at IS NULL
RETURNING *;

-- name: set_progress
UPDATE jobs SET fraction = :fraction, message = :message
WHERE id = :id AND dispatch = :dispatch AND state = 'running'
RETURNING *;

-- name: insert_event
INSERT INTO job_events (job_id, number, at, state, reason, detail, attempt)
SELECT
    :job_id,
    COALESCE(MAX(number), 0) + 1,
    :at,
    :state,
    :reason,
    :detail,
    :attempt
FROM job_events WHERE job_id = :job_id;

-- name: events
SELECT * FROM job_events WHERE job_id = :job_id AND number > :after ORDER BY number;

-- name: insert_body
INSERT OR REPLACE INTO job_bodies (job_id, part, content) VALUES (:job_id, :part, :content);

-- name: delete_body
DELETE FROM job_bodies WHERE job_id = :job_id AND part = :part;

-- name: body
SELECT content FROM job_bodies WHERE job_id = :job_id AND part = :part;

-- name: unended
SELECT id, service, dispatch, next_attempt_at, owner, tokens_held
FROM jobs WHERE ended_at IS NULL ORDER BY id;

-- name: ended_before
SELECT id FROM jobs WHERE ended_at < :before ORDER BY ended_at LIMIT :limit;

-- name: forget
DELETE FROM jobs
WHERE id = :id AND ended_at IS NOT NULL AND (:sight IS NULL OR owner = :sight)
RETURNING *;

-- name: known
SELECT id FROM jobs WHERE id IN (SELECT value FROM json_each(:ids));
