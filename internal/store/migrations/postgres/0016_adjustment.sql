-- Adjustments by hand with approval, and what each line was given or had taken without it in a day.

CREATE TABLE adjustment (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	subscription_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{subscriptionId}') STORED,
	status TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{status}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX adjustment_subscription_id ON adjustment (spid, subscription_id, id);
CREATE INDEX adjustment_status ON adjustment (spid, status, id);

CREATE TABLE adjustment_tally (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	PRIMARY KEY (spid, id, home)
);
