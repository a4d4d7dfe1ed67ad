-- Adjustments by hand with approval, and what each line was given or had taken without it in a day.

CREATE TABLE adjustment (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	subscription_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.subscriptionId')) VIRTUAL,
	status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.status')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX adjustment_subscription_id ON adjustment (spid, subscription_id, id);
CREATE INDEX adjustment_status ON adjustment (spid, status, id);

CREATE TABLE adjustment_tally (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	PRIMARY KEY (spid, id, home)
);
