-- name: put
INSERT INTO schedules (
    name, workflow, version, inputs, cron, timezone, catch_up, paused, owner, created_at, next_at
)
VALUES (
    :name, :workflow, :version, :inputs, :cron, :timezone, :catch_up, :paused, :owner, :now, :next_at
)
ON CONFLICT (name) DO UPDATE SET
    workflow = :workflow,
    version = :version,
    inputs = :inputs,
    cron = :cron,
    timezone = :timezone,
    catch_up = :catch_up,
    paused = :paused,
    next_at = :next_at,
    problem = NULL
RETURNING *;

-- name: schedule
SELECT * FROM schedules WHERE name = :name;

-- name: all
SELECT * FROM schedules WHERE :sight IS NULL OR owner = :sight ORDER BY name;

-- name: due
SELECT * FROM schedules WHERE next_at <= :now ORDER BY next_at;

-- name: later
SELECT * FROM schedules WHERE next_at > :now;

-- name: bring_forward
UPDATE schedules SET next_at = :next_at WHERE name = :name AND next_at = :seen;

-- name: next
SELECT MIN(next_at) AS next_at FROM schedules;

-- name: advance
UPDATE schedules
SET
    next_at = CASE WHEN paused THEN NULL ELSE :next_at END,
    last_run = COALESCE(:last_run, last_run),
    last_at = COALESCE(:last_at, last_at),
    problem = :problem
WHERE name = :name AND next_at = :seen;

-- name: set_paused
UPDATE schedules SET paused = :paused, next_at = :next_at
WHERE name = :name AND (:sight IS NULL OR owner = :sight)
RETURNING *;

-- name: delete
DELETE FROM schedules WHERE name = :name AND (:sight IS NULL OR owner = :sight) RETURNING name;
