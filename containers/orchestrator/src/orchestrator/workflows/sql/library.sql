-- name: workflow
SELECT
    workflows.name,
    workflows.owner,
    workflow_versions.version,
    workflow_versions.source,
    workflow_versions.definition,
    workflow_versions.created_at
FROM workflows
INNER JOIN workflow_versions ON workflow_versions.name = workflows.name
WHERE
    workflows.name = :name
    AND workflow_versions.version = COALESCE(:version, workflows.latest);

-- name: all
SELECT
    workflows.name,
    workflows.owner,
    workflow_versions.version,
    workflow_versions.created_at,
    COALESCE(json_extract(workflow_versions.definition, '$.description'), '') AS description,
    (SELECT COUNT(*) FROM json_each(workflow_versions.definition, '$.steps')) AS steps
FROM workflows
INNER JOIN workflow_versions
    ON
        workflow_versions.name = workflows.name
        AND workflow_versions.version = workflows.latest
ORDER BY workflows.name;

-- name: versions
SELECT version, created_at FROM workflow_versions WHERE name = :name ORDER BY version DESC;

-- name: put
INSERT INTO workflows (name, latest, owner) VALUES (:name, 1, :owner)
ON CONFLICT (name) DO UPDATE SET latest = latest + 1
RETURNING latest;

-- name: put_version
INSERT INTO workflow_versions (name, version, source, definition, created_at)
VALUES (:name, :version, :source, :definition, :now);

-- name: owner
SELECT owner FROM workflows WHERE name = :name;

-- name: delete
DELETE FROM workflow_versions WHERE name = :name;
