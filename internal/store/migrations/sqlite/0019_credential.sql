-- PINs and one-time passwords: that there is one, and the tries at it. What they are checked by is a claim.

CREATE TABLE credential (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	subject TEXT GENERATED ALWAYS AS (json_extract(doc, '$.subject')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX credential_subject ON credential (spid, subject, id);

CREATE TABLE credential_guard (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	PRIMARY KEY (spid, id, home)
);
