-- name: insert_key
INSERT INTO keys (
    id, name, digest, scopes, models, requests_per_minute, tokens_per_minute, parallel,
    created_at, expires_at
)
VALUES (
    :id, :name, :digest, :scopes, :models, :requests_per_minute, :tokens_per_minute, :parallel,
    :created_at, :expires_at
);

-- name: all_keys
SELECT * FROM keys ORDER BY created_at, id;

-- name: unrevoked
SELECT * FROM keys WHERE revoked_at IS NULL AND (id = :which OR name = :which)
ORDER BY id = :which DESC LIMIT 1;

-- name: revoke
UPDATE keys SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL;

-- name: rotate
UPDATE keys
SET digest = :digest, previous = digest, previous_until = :previous_until
WHERE id = :id AND revoked_at IS NULL;
