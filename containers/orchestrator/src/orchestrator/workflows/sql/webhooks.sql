-- name: put
INSERT INTO webhooks (name, url, workflow, states, secret, owner, sight, created_at)
VALUES (:name, :url, :workflow, :states, :secret, :owner, :sight, :now)
ON CONFLICT (name) DO UPDATE SET url = :url, workflow = :workflow, states = :states, disabled = 0
RETURNING *;

-- name: webhook
SELECT * FROM webhooks WHERE name = :name;

-- name: all
SELECT * FROM webhooks WHERE :sight IS NULL OR owner = :sight ORDER BY name;

-- name: rotate
UPDATE webhooks SET secret = :secret WHERE name = :name AND (:sight IS NULL OR owner = :sight) RETURNING *;

-- name: disable
UPDATE webhooks SET disabled = 1 WHERE name = :name;

-- name: delete
DELETE FROM webhooks WHERE name = :name AND (:sight IS NULL OR owner = :sight) RETURNING name;

-- name: due
SELECT
    deliveries.id,
    deliveries.webhook,
    deliveries.body,
    deliveries.attempts,
    webhooks.url,
    webhooks.secret,
    webhooks.owner,
    webhooks.sight
FROM deliveries
INNER JOIN webhooks ON webhooks.name = deliveries.webhook
WHERE deliveries.next_at <= :now AND NOT webhooks.disabled
ORDER BY deliveries.next_at
LIMIT :limit;

-- name: next
SELECT MIN(deliveries.next_at) AS next_at
FROM deliveries
INNER JOIN webhooks ON webhooks.name = deliveries.webhook
WHERE NOT webhooks.disabled;

-- name: tried
UPDATE deliveries
SET attempts = attempts + 1, next_at = :next_at, delivered_at = :delivered_at, problem = :problem
WHERE id = :id;

-- name: hold_back
UPDATE deliveries SET next_at = :until WHERE webhook = :webhook AND next_at < :until;

-- name: deliveries
SELECT id, created_at, attempts, next_at, delivered_at, problem FROM deliveries
WHERE webhook = :name
ORDER BY created_at DESC, id DESC
LIMIT :limit;

-- name: forget
DELETE FROM deliveries WHERE next_at IS NULL AND created_at < :before;
