-- Who may spend a bucket is found by one column, and only while it can be spent.

DROP INDEX bucket_status;
ALTER TABLE bucket DROP COLUMN status;
ALTER TABLE bucket ADD COLUMN held_by TEXT GENERATED ALWAYS AS (json_extract(doc, '$.heldBy')) VIRTUAL;
UPDATE bucket SET doc = json_set(doc, '$.heldBy', json_extract(doc, '$.subscriptionId')) WHERE json_extract(doc, '$.status') <> 'expired';
CREATE INDEX bucket_held_by ON bucket (spid, held_by, id) WHERE held_by IS NOT NULL;

CREATE TABLE adjust_balance (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	subscription_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.subscriptionId')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX adjust_balance_subscription_id ON adjust_balance (spid, subscription_id, id);

CREATE TABLE reserve_balance (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	subscription_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.subscriptionId')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX reserve_balance_subscription_id ON reserve_balance (spid, subscription_id, id);

CREATE TABLE transfer_balance (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	subscription_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.subscriptionId')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX transfer_balance_subscription_id ON transfer_balance (spid, subscription_id, id);

DROP INDEX topup_status;
ALTER TABLE topup DROP COLUMN status;
