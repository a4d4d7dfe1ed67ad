-- PINs and one-time passwords: that there is one, and the tries at it. What they are checked by is a claim.

CREATE TABLE credential (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	subject TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{subject}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX credential_subject ON credential (spid, subject, id);

CREATE TABLE credential_guard (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	PRIMARY KEY (spid, id, home)
);
