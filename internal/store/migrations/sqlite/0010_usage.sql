-- Usage records, what is known of their kinds, the files they come in, and sessions that are charged while they last.

CREATE TABLE usage_record (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	subscription_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.subscriptionId')) VIRTUAL,
	usage_date TEXT GENERATED ALWAYS AS (json_extract(doc, '$.usageDate')) VIRTUAL,
	suspense_reason TEXT GENERATED ALWAYS AS (json_extract(doc, '$.suspenseReason')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX usage_record_line ON usage_record (spid, subscription_id, usage_date, id);
CREATE INDEX usage_record_suspense_reason ON usage_record (spid, suspense_reason, id) WHERE suspense_reason IS NOT NULL;

CREATE TABLE usage_specification (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX usage_specification_name ON usage_specification (spid, name, id);

CREATE TABLE usage_file (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.status')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX usage_file_status ON usage_file (spid, status, id);

CREATE TABLE usage_file_part (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	PRIMARY KEY (spid, id, home)
);
CREATE TABLE charging_session (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	subscription_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.subscriptionId')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX charging_session_subscription_id ON charging_session (spid, subscription_id, id);

-- Charging sessions name a line by its IMSI.
ALTER TABLE subscription ADD COLUMN imsi TEXT GENERATED ALWAYS AS (json_extract(doc, '$.imsi')) VIRTUAL;
CREATE INDEX subscription_imsi ON subscription (spid, imsi, id);
