-- The id of the key that a job was made with; NULL without one.
ALTER TABLE jobs ADD COLUMN owner TEXT;

-- From here on `idempotency_key` is `<owner> <key>` where there is an owner: no key has a space in it, so the keys
-- of one owner never meet those of another.
CREATE INDEX jobs_by_owner ON jobs (owner, id);
