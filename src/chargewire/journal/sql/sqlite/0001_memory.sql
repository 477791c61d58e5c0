-- Objects as they are, changes in commit order, readings, messages. There is one partition: 0.
-- Times are microseconds since 1970 UTC.

CREATE TABLE head (
    part INTEGER PRIMARY KEY,
    changes INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    stamp INTEGER NOT NULL
) STRICT;
INSERT INTO head VALUES (0, 0, 0, 0, 0);

-- page before body: lists read the page only, and SQLite stops at the last column it needs
CREATE TABLE object (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    folded TEXT NOT NULL,
    key TEXT NOT NULL,
    part INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_updated INTEGER NOT NULL,
    state TEXT NOT NULL,
    counterparty TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    digest BLOB NOT NULL,
    dialect INTEGER NOT NULL,
    page BLOB,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX object_name ON object (kind, owner, folded);
CREATE INDEX object_created ON object (kind, owner, state, deleted, created_at);
CREATE INDEX object_updated ON object (kind, owner, state, deleted, last_updated, created_at);
CREATE INDEX object_counterparty ON object (kind, counterparty, owner, state, deleted, created_at) WHERE counterparty <> '';

-- which lists there are: a walk merges those that it asks for
CREATE TABLE shelf (
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    PRIMARY KEY (kind, owner, state, deleted)
) STRICT, WITHOUT ROWID;

CREATE TABLE change (
    part INTEGER NOT NULL,
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    at INTEGER NOT NULL,
    what TEXT NOT NULL
) STRICT;

CREATE TABLE alias (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    folded TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX alias_object ON alias (object_kind, owner, folded);

CREATE TABLE reading (
    part INTEGER NOT NULL,
    seq INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    heard_at INTEGER NOT NULL,
    station TEXT NOT NULL,
    evse TEXT NOT NULL,
    connector INTEGER NOT NULL,
    session TEXT NOT NULL,
    at INTEGER NOT NULL,
    samples BLOB NOT NULL,
    message_id TEXT NOT NULL
) STRICT;
CREATE INDEX reading_owner ON reading (owner, heard_at);
-- by blocks of 4096 numbers: what is heard now lies together, so a batch dirties few pages however many stations speak
CREATE INDEX reading_session ON reading (seq >> 12, session) WHERE session <> '';

CREATE TABLE message (
    part INTEGER NOT NULL,
    seq INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    heard_at INTEGER NOT NULL,
    station TEXT NOT NULL,
    location TEXT NOT NULL,
    evse TEXT NOT NULL,
    direction TEXT NOT NULL,
    action TEXT NOT NULL,
    message_id TEXT NOT NULL,
    call BLOB NOT NULL,
    answer BLOB NOT NULL,
    level TEXT NOT NULL
) STRICT;
CREATE INDEX message_owner ON message (owner, heard_at);
CREATE INDEX message_station ON message (seq >> 12, station);

CREATE TABLE shard (
    id INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    lease_until INTEGER NOT NULL
) STRICT;

CREATE TABLE lane (
    endpoint TEXT NOT NULL,
    part INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    PRIMARY KEY (endpoint, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE deferred (
    endpoint TEXT NOT NULL,
    part INTEGER NOT NULL,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    due INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    state TEXT NOT NULL,
    code TEXT NOT NULL,
    error TEXT NOT NULL,
    memo TEXT NOT NULL,
    PRIMARY KEY (endpoint, kind, owner, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX deferred_due ON deferred (endpoint, part, due);

CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
