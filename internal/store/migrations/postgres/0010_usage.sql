-- Usage records, what is known of their kinds, the files they come in, and sessions that are charged while they last.

CREATE TABLE usage_record (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	subscription_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{subscriptionId}') STORED,
	usage_date TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{usageDate}') STORED,
	suspense_reason TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{suspenseReason}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX usage_record_line ON usage_record (spid, subscription_id, usage_date, id);
CREATE INDEX usage_record_suspense_reason ON usage_record (spid, suspense_reason, id) WHERE suspense_reason IS NOT NULL;

CREATE TABLE usage_specification (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	name TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{name}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX usage_specification_name ON usage_specification (spid, name, id);

CREATE TABLE usage_file (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	status TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{status}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX usage_file_status ON usage_file (spid, status, id);

CREATE TABLE usage_file_part (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	PRIMARY KEY (spid, id, home)
);
CREATE TABLE charging_session (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	subscription_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{subscriptionId}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX charging_session_subscription_id ON charging_session (spid, subscription_id, id);

-- Charging sessions name a line by its IMSI.
ALTER TABLE subscription ADD COLUMN imsi TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{imsi}') STORED;
CREATE INDEX subscription_imsi ON subscription (spid, imsi, id);
