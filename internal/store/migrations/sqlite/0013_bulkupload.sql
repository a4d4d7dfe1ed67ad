-- Files of many things at once: how far each was taken in, what is still to be read of it, and its bad rows.

CREATE TABLE bulk_upload (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.status')) VIRTUAL,
	upload_type TEXT GENERATED ALWAYS AS (json_extract(doc, '$.uploadType')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX bulk_upload_status ON bulk_upload (spid, status, id);
CREATE INDEX bulk_upload_upload_type ON bulk_upload (spid, upload_type, id);

CREATE TABLE bulk_upload_part (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	at TEXT GENERATED ALWAYS AS (json_extract(doc, '$.at')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX bulk_upload_part_at ON bulk_upload_part (spid, at, id);

CREATE TABLE bulk_upload_error (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	upload TEXT GENERATED ALWAYS AS (json_extract(doc, '$.upload')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX bulk_upload_error_upload ON bulk_upload_error (spid, upload, id);
