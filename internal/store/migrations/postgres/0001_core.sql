-- What every collection and every write needs: references, counts, claims, idempotency, events, jobs,
-- audit, ledger. Times are microseconds since 1970, UTC. Every key has home and spid; where ids grow with
-- time the id comes before the home, so that new rows stand side by side and a list needs no other index.

-- Who refers to whom, kept at the home of the target: what is referred to cannot be deleted.
CREATE TABLE ref (
	home INTEGER NOT NULL, spid INTEGER NOT NULL,
	to_id TEXT COLLATE "C" NOT NULL, from_id TEXT COLLATE "C" NOT NULL, attribute TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (home, spid, to_id, from_id, attribute)
);

-- How many documents a collection has: the sum over the homes is the total of a plain list.
CREATE TABLE tally (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, collection TEXT COLLATE "C" NOT NULL, n BIGINT NOT NULL,
	PRIMARY KEY (spid, collection, home)
);

-- Values that are unique within a service provider, at the home that the value names.
CREATE TABLE claim (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, kind TEXT COLLATE "C" NOT NULL, value TEXT COLLATE "C" NOT NULL, owner TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (home, spid, kind, value)
);

CREATE TABLE idempotency (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, client TEXT COLLATE "C" NOT NULL, idem_key TEXT COLLATE "C" NOT NULL,
	digest BYTEA NOT NULL, status INTEGER NOT NULL, header TEXT COLLATE "C" NOT NULL, body BYTEA, expires BIGINT NOT NULL,
	PRIMARY KEY (home, spid, client, idem_key)
);

CREATE INDEX idempotency_expires ON idempotency (expires);

-- The outbox.
CREATE TABLE event (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, type TEXT COLLATE "C" NOT NULL,
	domain TEXT COLLATE "C" NOT NULL, title TEXT COLLATE "C" NOT NULL, description TEXT COLLATE "C" NOT NULL, correlation_id TEXT COLLATE "C" NOT NULL,
	resource TEXT COLLATE "C" NOT NULL, subject TEXT COLLATE "C" NOT NULL, doc JSON NOT NULL,
	PRIMARY KEY (spid, id, home)
);

CREATE TABLE job (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL, kind TEXT COLLATE "C" NOT NULL, job_key TEXT COLLATE "C" NOT NULL,
	payload JSON NOT NULL, run_at BIGINT NOT NULL, due BIGINT NOT NULL, attempts INTEGER NOT NULL,
	max_attempts INTEGER NOT NULL, state TEXT COLLATE "C" NOT NULL, last_error TEXT COLLATE "C" NOT NULL, actor_subject TEXT COLLATE "C" NOT NULL,
	actor_name TEXT COLLATE "C" NOT NULL, actor_client TEXT COLLATE "C" NOT NULL, request_id TEXT COLLATE "C" NOT NULL, created BIGINT NOT NULL,
	PRIMARY KEY (spid, id, home)
);

CREATE UNIQUE INDEX job_key ON job (home, spid, kind, job_key) WHERE job_key <> '' AND state IN ('ready', 'running');
CREATE INDEX job_due ON job (due) WHERE state IN ('ready', 'running');
CREATE INDEX job_ended ON job (due) WHERE state IN ('done', 'cancelled');
CREATE INDEX job_state ON job (spid, state, id);

CREATE TABLE audit (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, subject TEXT COLLATE "C" NOT NULL,
	client TEXT COLLATE "C" NOT NULL, operation TEXT COLLATE "C" NOT NULL, request_id TEXT COLLATE "C" NOT NULL, reason TEXT COLLATE "C" NOT NULL,
	entity TEXT COLLATE "C" NOT NULL, entity_id TEXT COLLATE "C" NOT NULL, before_doc JSON, after_doc JSON,
	PRIMARY KEY (spid, entity_id, id, home)
);

-- Double entry: amounts count the smallest parts of their unit.
CREATE TABLE ledger_posting (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, cause_kind TEXT COLLATE "C" NOT NULL,
	cause TEXT COLLATE "C" NOT NULL, text TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (spid, id, home)
);

CREATE TABLE ledger_entry (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, posting TEXT COLLATE "C" NOT NULL, seq INTEGER NOT NULL, account TEXT COLLATE "C" NOT NULL,
	unit TEXT COLLATE "C" NOT NULL, amount BIGINT NOT NULL, balance BIGINT NOT NULL,
	PRIMARY KEY (home, spid, posting, seq)
);

CREATE INDEX ledger_entry_account ON ledger_entry (home, spid, account, posting);

CREATE TABLE ledger_balance (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, account TEXT COLLATE "C" NOT NULL, unit TEXT COLLATE "C" NOT NULL, balance BIGINT NOT NULL,
	PRIMARY KEY (home, spid, account, unit)
);
