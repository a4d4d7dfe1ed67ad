-- What every collection and every write needs: references, counts, claims, idempotency, events, jobs,
-- audit, ledger. Times are microseconds since 1970, UTC. Every key has home and spid; where ids grow with
-- time the id comes before the home, so that new rows stand side by side and a list needs no other index.

-- Who refers to whom, kept at the home of the target: what is referred to cannot be deleted.
CREATE TABLE ref (
	home INTEGER NOT NULL, spid INTEGER NOT NULL,
	to_id TEXT NOT NULL, from_id TEXT NOT NULL, attribute TEXT NOT NULL,
	PRIMARY KEY (home, spid, to_id, from_id, attribute)
) WITHOUT ROWID;

-- How many documents a collection has: the sum over the homes is the total of a plain list.
CREATE TABLE tally (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, collection TEXT NOT NULL, n INTEGER NOT NULL,
	PRIMARY KEY (spid, collection, home)
) WITHOUT ROWID;

-- Values that are unique within a service provider, at the home that the value names.
CREATE TABLE claim (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, owner TEXT NOT NULL,
	PRIMARY KEY (home, spid, kind, value)
) WITHOUT ROWID;

CREATE TABLE idempotency (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, client TEXT NOT NULL, idem_key TEXT NOT NULL,
	digest BLOB NOT NULL, status INTEGER NOT NULL, header TEXT NOT NULL, body BLOB, expires INTEGER NOT NULL,
	PRIMARY KEY (home, spid, client, idem_key)
);

CREATE INDEX idempotency_expires ON idempotency (expires);

-- The outbox.
CREATE TABLE event (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, type TEXT NOT NULL,
	domain TEXT NOT NULL, title TEXT NOT NULL, description TEXT NOT NULL, correlation_id TEXT NOT NULL,
	resource TEXT NOT NULL, subject TEXT NOT NULL, doc TEXT NOT NULL,
	PRIMARY KEY (spid, id, home)
);

CREATE TABLE job (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, job_key TEXT NOT NULL,
	payload TEXT NOT NULL, run_at INTEGER NOT NULL, due INTEGER NOT NULL, attempts INTEGER NOT NULL,
	max_attempts INTEGER NOT NULL, state TEXT NOT NULL, last_error TEXT NOT NULL, actor_subject TEXT NOT NULL,
	actor_name TEXT NOT NULL, actor_client TEXT NOT NULL, request_id TEXT NOT NULL, created INTEGER NOT NULL,
	PRIMARY KEY (spid, id, home)
);

CREATE UNIQUE INDEX job_key ON job (home, spid, kind, job_key) WHERE job_key <> '' AND state IN ('ready', 'running');
CREATE INDEX job_due ON job (due) WHERE state IN ('ready', 'running');
CREATE INDEX job_ended ON job (due) WHERE state IN ('done', 'cancelled');
CREATE INDEX job_state ON job (spid, state, id);

CREATE TABLE audit (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, subject TEXT NOT NULL,
	client TEXT NOT NULL, operation TEXT NOT NULL, request_id TEXT NOT NULL, reason TEXT NOT NULL,
	entity TEXT NOT NULL, entity_id TEXT NOT NULL, before_doc TEXT, after_doc TEXT,
	PRIMARY KEY (spid, entity_id, id, home)
);

-- Double entry: amounts count the smallest parts of their unit.
CREATE TABLE ledger_posting (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, cause_kind TEXT NOT NULL,
	cause TEXT NOT NULL, text TEXT NOT NULL,
	PRIMARY KEY (spid, id, home)
) WITHOUT ROWID;

CREATE TABLE ledger_entry (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, posting TEXT NOT NULL, seq INTEGER NOT NULL, account TEXT NOT NULL,
	unit TEXT NOT NULL, amount INTEGER NOT NULL, balance INTEGER NOT NULL,
	PRIMARY KEY (home, spid, posting, seq)
) WITHOUT ROWID;

CREATE INDEX ledger_entry_account ON ledger_entry (home, spid, account, posting);

CREATE TABLE ledger_balance (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, account TEXT NOT NULL, unit TEXT NOT NULL, balance INTEGER NOT NULL,
	PRIMARY KEY (home, spid, account, unit)
) WITHOUT ROWID;
