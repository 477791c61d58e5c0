-- Statements of the SQLite engine. `:rows` stands for (?, …), (?, …) …; `:index`, `:filter` and the like for text of this file.

-- name: head
SELECT part, changes, readings, messages, stamp FROM head WHERE part = 0;

-- name: set_head
UPDATE head SET changes = ?, readings = ?, messages = ?, stamp = ? WHERE part = 0;

-- name: last_id
SELECT coalesce(max(id), 0) FROM object;

-- name: held
SELECT o.kind, o.owner, o.folded, o.key, o.id, o.part, o.seq, o.version, o.created_at, o.last_updated, o.state,
       o.counterparty, o.deleted, o.digest
FROM (VALUES :rows) AS v CROSS JOIN object AS o ON o.kind = v.column1 AND o.owner = v.column2 AND o.folded = v.column3;

-- name: holders
SELECT a.kind, a.name, a.object_kind, a.owner, a.key
FROM (VALUES :rows) AS v CROSS JOIN alias AS a ON a.kind = v.column1 AND a.name = v.column2;

-- name: insert_object
INSERT INTO object VALUES :rows;

-- name: update_object
UPDATE object SET part = v.column2, seq = v.column3, version = v.column4, last_updated = v.column5, digest = v.column6,
       dialect = v.column7, page = v.column8, body = v.column9
FROM (VALUES :rows) AS v WHERE object.id = v.column1;

-- name: reshelve_object
UPDATE object SET part = v.column2, seq = v.column3, version = v.column4, last_updated = v.column5, digest = v.column6,
       dialect = v.column7, page = v.column8, body = v.column9,
       created_at = v.column10, state = v.column11, counterparty = v.column12, deleted = v.column13
FROM (VALUES :rows) AS v WHERE object.id = v.column1;

-- name: touch_object
UPDATE object SET last_updated = max(last_updated, ?4), dialect = -1 WHERE kind = ?1 AND owner = ?2 AND folded = ?3;

-- name: insert_shelf
INSERT OR IGNORE INTO shelf VALUES :rows;

-- name: shelves
SELECT kind, owner, state, deleted FROM shelf;

-- name: insert_alias
INSERT OR REPLACE INTO alias VALUES :rows;

-- name: insert_change
INSERT INTO change (part, seq, kind, owner, key, version, at, what) VALUES :rows;

-- name: insert_reading
INSERT INTO reading VALUES :rows;

-- name: insert_message
INSERT INTO message VALUES :rows;

-- name: get
SELECT kind, owner, key, part, seq, version, created_at, last_updated, state, counterparty, deleted, body
FROM object WHERE kind = ? AND owner = ? AND folded = ?;

-- name: find
SELECT o.kind, o.owner, o.key, o.part, o.seq, o.version, o.created_at, o.last_updated, o.state, o.counterparty, o.deleted, o.body
FROM alias AS a JOIN object AS o ON o.kind = a.object_kind AND o.owner = a.owner AND o.folded = a.folded
WHERE a.kind = ? AND a.name = ?;

-- name: stored_columns
o.created_at, o.id, o.kind, o.owner, o.key, o.part, o.seq, o.version, o.last_updated, o.state, o.counterparty, o.deleted, o.body

-- name: page_columns
o.created_at, o.id, o.page, o.dialect

-- name: on_shelf
FROM object AS o INDEXED BY :index WHERE o.kind = ? AND o.owner = ? AND o.state = ? AND o.deleted = ?

-- name: on_counterparty_shelf
FROM object AS o INDEXED BY object_counterparty
WHERE o.kind = ? AND o.owner = ? AND o.state = ? AND o.deleted = ? AND o.counterparty = ? AND o.counterparty <> ''

-- name: created_between
AND o.created_at > ? AND o.created_at < ?

-- name: updated_between
AND o.last_updated >= ? AND o.last_updated < ?

-- name: of_counterparty
AND o.counterparty = ?

-- name: objects
SELECT :columns FROM json_each(?) AS m CROSS JOIN object AS o ON o.id = m.value;

-- name: log_rows
SELECT :columns FROM json_each(?) AS m CROSS JOIN :table AS o ON o.seq = m.value;

-- name: log_of_one
SELECT o.seq FROM json_each(?) AS b CROSS JOIN :table AS o INDEXED BY :table_:by
WHERE o.seq >> 12 = b.value AND o.:by = ? AND o.seq >= ? AND o.seq < ?:filter;

-- name: log_bounds
SELECT coalesce(min(seq), 1), coalesce(max(seq), 0) + 1 FROM :table;

-- name: log_heard_at
SELECT heard_at FROM :table WHERE seq = ?;

-- name: page_again
SELECT body, last_updated FROM object WHERE id = ?;

-- name: changes
SELECT part, seq, kind, owner, key, version, at, what FROM change WHERE seq > ? ORDER BY seq LIMIT ?;

-- name: reading_columns
o.part, o.seq, o.owner, o.heard_at, o.station, o.evse, o.connector, o.session, o.at, o.samples, o.message_id

-- name: message_columns
o.part, o.seq, o.owner, o.heard_at, o.station, o.location, o.evse, o.direction, o.action, o.message_id, o.call, o.answer, o.level

-- name: claim_missing
INSERT OR IGNORE INTO shard VALUES (?, '', 0, 0);

-- name: renew_shards
UPDATE shard SET lease_until = ?2 WHERE owner = ?1 AND id < ?3;

-- name: claim_shards
UPDATE shard SET owner = ?1, epoch = epoch + 1, lease_until = ?2 WHERE owner <> ?1 AND lease_until < ?4 AND id < ?3;

-- name: own_shards
SELECT id, epoch FROM shard WHERE owner = ? AND id < ?;

-- name: epoch
SELECT epoch FROM shard WHERE id = ?;

-- name: save_lane
INSERT OR REPLACE INTO lane VALUES (?, ?, ?);

-- name: save_deferred
INSERT OR REPLACE INTO deferred VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: settle_deferred
DELETE FROM deferred WHERE endpoint = ? AND kind = ? AND owner = ? AND key = ?;

-- name: lanes
SELECT endpoint, part, cursor FROM lane WHERE endpoint = ? ORDER BY part;

-- name: deferred
SELECT endpoint, part, kind, owner, key, due, attempts, state, code, error, memo FROM deferred
WHERE endpoint = ? AND part = ? ORDER BY state = 'parked', due, kind, owner, key LIMIT ?;

-- name: drop_lane
DELETE FROM lane WHERE endpoint = ?;

-- name: drop_deferred
DELETE FROM deferred WHERE endpoint = ?;

-- name: retain_change
DELETE FROM change WHERE seq < (SELECT min(seq) FROM change) + 1000 AND at < ?;

-- name: retain_reading
DELETE FROM reading WHERE seq < (SELECT min(seq) FROM reading) + 1000 AND heard_at < ?;

-- name: retain_message
DELETE FROM message WHERE seq < (SELECT min(seq) FROM message) + 1000 AND heard_at < ?;

-- name: retain_object
DELETE FROM object WHERE id IN (
    SELECT id FROM object INDEXED BY object_created
    WHERE kind = ? AND owner = ? AND state = ? AND deleted = ? AND created_at < ? ORDER BY created_at LIMIT 500
) RETURNING kind, owner, folded;

-- name: drop_alias
DELETE FROM alias WHERE object_kind = ? AND owner = ? AND folded = ?;

-- name: setting
SELECT value FROM setting WHERE name = ?;

-- name: set_default
INSERT OR IGNORE INTO setting VALUES (?, ?);
