-- Files of many things at once: how far each was taken in, what is still to be read of it, and its bad rows.

CREATE TABLE bulk_upload (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	status TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{status}') STORED,
	upload_type TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{uploadType}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX bulk_upload_status ON bulk_upload (spid, status, id);
CREATE INDEX bulk_upload_upload_type ON bulk_upload (spid, upload_type, id);

CREATE TABLE bulk_upload_part (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	at TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{at}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX bulk_upload_part_at ON bulk_upload_part (spid, at, id);

CREATE TABLE bulk_upload_error (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	upload TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{upload}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX bulk_upload_error_upload ON bulk_upload_error (spid, upload, id);
