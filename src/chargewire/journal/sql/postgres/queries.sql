-- Statements of the PostgreSQL engine. `:limit` and the like stand for whole numbers or for text of this file.

-- name: migrating
SELECT pg_advisory_xact_lock(1128813649);

-- name: serve_alone
SELECT pg_try_advisory_lock(hashtextextended(current_schema(), 1128813650));

-- name: make_version
CREATE TABLE IF NOT EXISTS schema_version (version integer NOT NULL);

-- name: version
SELECT coalesce(max(version), 0) FROM schema_version;

-- name: set_version
INSERT INTO schema_version VALUES ($1);

-- name: heads
SELECT part, changes, stamp FROM head ORDER BY part;

-- name: lock_head
SELECT part, changes, readings, messages, stamp FROM head WHERE part = $1 FOR UPDATE;

-- name: set_head
UPDATE head SET changes = $2, readings = $3, messages = $4, stamp = $5 WHERE part = $1;

-- name: notify
SELECT pg_notify('chargewire_change', current_schema() || ' ' || $1 || ' ' || $2);

-- name: schema
SELECT current_schema();

-- name: held
SELECT o.kind, o.owner, o.folded, o.key, o.id, o.part, o.seq, o.version, o.created_at, o.last_updated, o.state,
       o.counterparty, o.deleted, o.digest
FROM unnest($1::text[], $2::text[], $3::text[]) AS v (kind, owner, folded)
JOIN object AS o ON o.kind = v.kind AND o.owner = v.owner AND o.folded = v.folded
ORDER BY o.id FOR UPDATE OF o;

-- name: holders
SELECT a.kind, a.name, a.object_kind, a.owner, a.key
FROM unnest($1::text[], $2::text[]) AS v (kind, name) JOIN alias AS a ON a.kind = v.kind AND a.name = v.name
ORDER BY a.kind, a.name FOR UPDATE OF a;

-- name: update_object
UPDATE object AS o SET part = v.part, seq = v.seq, version = v.version, last_updated = v.last_updated, digest = v.digest,
       dialect = v.dialect, page = v.page, body = v.body,
       created_at = v.created_at, state = v.state, counterparty = v.counterparty, deleted = v.deleted
FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[], $7::integer[], $8::bytea[],
            $9::bytea[], $10::bigint[], $11::text[], $12::text[], $13::boolean[])
     AS v (id, part, seq, version, last_updated, digest, dialect, page, body, created_at, state, counterparty, deleted)
WHERE o.id = v.id;

-- name: touch_object
UPDATE object AS o SET last_updated = greatest(o.last_updated, v.stamp), dialect = -1
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS v (kind, owner, folded, stamp)
WHERE o.kind = v.kind AND o.owner = v.owner AND o.folded = v.folded;

-- name: insert_shelf
INSERT INTO shelf SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[]) ON CONFLICT DO NOTHING;

-- name: insert_alias
INSERT INTO alias SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]);

-- name: take_alias
UPDATE alias AS a SET object_kind = v.object_kind, owner = v.owner, folded = v.folded, key = v.key
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
     AS v (kind, name, object_kind, owner, folded, key)
WHERE a.kind = v.kind AND a.name = v.name;

-- name: get
SELECT kind, owner, key, part, seq, version, created_at, last_updated, state, counterparty, deleted, body
FROM object WHERE kind = $1 AND owner = $2 AND folded = $3;

-- name: get_many
SELECT v.n, o.kind, o.owner, o.key, o.part, o.seq, o.version, o.created_at, o.last_updated, o.state, o.counterparty, o.deleted,
       o.body
FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS v (kind, owner, folded, n)
JOIN object AS o ON o.kind = v.kind AND o.owner = v.owner AND o.folded = v.folded;

-- name: find
SELECT o.kind, o.owner, o.key, o.part, o.seq, o.version, o.created_at, o.last_updated, o.state, o.counterparty, o.deleted, o.body
FROM alias AS a JOIN object AS o ON o.kind = a.object_kind AND o.owner = a.owner AND o.folded = a.folded
WHERE a.kind = $1 AND a.name = $2;

-- name: stored_columns
o.kind, o.owner, o.key, o.part, o.seq, o.version, o.created_at, o.last_updated, o.state, o.counterparty, o.deleted, o.body, o.id

-- name: page_columns
CASE WHEN o.dialect = :dialect THEN o.page END, CASE WHEN o.dialect <> :dialect THEN o.body END, o.created_at, o.last_updated, o.id

-- name: shelves
FROM shelf AS s
CROSS JOIN LATERAL (
    SELECT o.created_at, o.id FROM object AS o
    WHERE o.kind = s.kind AND o.owner = s.owner AND o.state = s.state AND o.deleted = s.deleted :filters
    :ending
) AS x
WHERE s.kind = $1 AND s.owner = ANY ($2::text[]) AND (cardinality($3::text[]) = 0 OR s.state = ANY ($3::text[]))
      AND (NOT s.deleted OR $4::boolean)

-- name: walk
SELECT :columns FROM (SELECT x.created_at, x.id :shelves ORDER BY x.created_at, x.id LIMIT :limit OFFSET :offset) AS m
JOIN object AS o ON o.id = m.id ORDER BY m.created_at, m.id;

-- name: count
SELECT count(*) FROM (SELECT 1 :shelves :limit) AS counted;

-- name: changes
SELECT part, seq, kind, owner, key, version, at, what FROM change WHERE part = $1 AND seq > $2 ORDER BY seq LIMIT $3;

-- name: reading_columns
o.part, o.seq, o.owner, o.heard_at, o.station, o.evse, o.connector, o.session, o.at, o.samples, o.message_id

-- name: message_columns
o.part, o.seq, o.owner, o.heard_at, o.station, o.location, o.evse, o.direction, o.action, o.message_id, o.call, o.answer, o.level

-- name: log_by_owner
FROM unnest($1::text[]) AS w (owner)
CROSS JOIN LATERAL (SELECT o.* FROM :table AS o WHERE o.owner = w.owner :filters :ending) AS o

-- name: log_by_session
FROM (SELECT o.* FROM :table AS o WHERE o.session = :name AND o.session <> '' AND o.owner = ANY ($1::text[]) :filters :ending) AS o

-- name: log_by_station
FROM (SELECT o.* FROM :table AS o WHERE o.station = :name AND o.owner = ANY ($1::text[]) :filters :ending) AS o

-- name: claim_missing
INSERT INTO shard SELECT id, '', 0, '-infinity' FROM generate_series(0, $1::integer - 1) AS id ON CONFLICT DO NOTHING;

-- name: renew_shards
UPDATE shard SET lease_until = clock_timestamp() + $3::double precision * interval '1 second' WHERE owner = $1 AND id < $2;

-- name: claim_shards
UPDATE shard SET owner = $1, epoch = epoch + 1, lease_until = clock_timestamp() + $3::double precision * interval '1 second'
WHERE id IN (
    SELECT id FROM shard WHERE owner <> $1 AND id < $2 AND lease_until < clock_timestamp() FOR UPDATE SKIP LOCKED
);

-- name: own_shards
SELECT id, epoch FROM shard WHERE owner = $1 AND id < $2 ORDER BY id;

-- name: epochs
SELECT id, epoch FROM shard WHERE id = ANY ($1::integer[]) ORDER BY id FOR SHARE;

-- name: save_lanes
INSERT INTO lane SELECT * FROM unnest($1::text[], $2::smallint[], $3::bigint[])
ON CONFLICT (endpoint, part) DO UPDATE SET cursor = excluded.cursor;

-- name: save_deferred
INSERT INTO deferred VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (endpoint, kind, owner, key) DO UPDATE SET part = excluded.part, due = excluded.due, attempts = excluded.attempts,
    state = excluded.state, code = excluded.code, error = excluded.error, memo = excluded.memo;

-- name: settle_deferred
DELETE FROM deferred WHERE endpoint = $1 AND kind = $2 AND owner = $3 AND key = $4;

-- name: lanes
SELECT endpoint, part, cursor FROM lane WHERE endpoint = $1 ORDER BY part;

-- name: deferred
SELECT endpoint, part, kind, owner, key, due, attempts, state, code, error, memo FROM deferred
WHERE endpoint = $1 AND part = $2 ORDER BY state = 'parked', due, kind, owner, key LIMIT $3;

-- name: drop_lanes
WITH gone AS (DELETE FROM deferred WHERE endpoint = $1) DELETE FROM lane WHERE endpoint = $1;

-- name: retain_change
DELETE FROM change WHERE part = $1 AND seq < (SELECT min(seq) FROM change WHERE part = $1) + 1000 AND at < $2;

-- name: retain_reading
DELETE FROM reading WHERE part = $1 AND seq < (SELECT min(seq) FROM reading WHERE part = $1) + 1000 AND heard_at < $2;

-- name: retain_message
DELETE FROM message WHERE part = $1 AND seq < (SELECT min(seq) FROM message WHERE part = $1) + 1000 AND heard_at < $2;

-- name: retain_object
WITH old AS (
    SELECT x.id FROM shelf AS s CROSS JOIN LATERAL (
        SELECT o.id FROM object AS o
        WHERE o.kind = s.kind AND o.owner = s.owner AND o.state = s.state AND o.deleted = s.deleted AND o.created_at < $2
        ORDER BY o.created_at LIMIT 500
    ) AS x WHERE s.kind = $1 LIMIT 500
), gone AS (
    DELETE FROM object WHERE id IN (SELECT id FROM old) RETURNING kind, owner, folded
), names AS (
    DELETE FROM alias AS a USING gone AS g WHERE a.object_kind = g.kind AND a.owner = g.owner AND a.folded = g.folded
)
SELECT count(*) FROM gone;

-- name: setting
SELECT value FROM setting WHERE name = $1;

-- name: set_default
INSERT INTO setting VALUES ($1, $2) ON CONFLICT DO NOTHING;
