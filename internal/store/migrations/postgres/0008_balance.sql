-- Who may spend a bucket is found by one column, and only while it can be spent.

DROP INDEX bucket_status;
ALTER TABLE bucket DROP COLUMN status;
UPDATE bucket SET doc = jsonb_set(doc::jsonb, '{heldBy}', doc::jsonb -> 'subscriptionId')::json WHERE doc ->> 'status' <> 'expired';
ALTER TABLE bucket ADD COLUMN held_by TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{heldBy}') STORED;
CREATE INDEX bucket_held_by ON bucket (spid, held_by, id) WHERE held_by IS NOT NULL;

CREATE TABLE adjust_balance (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	subscription_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{subscriptionId}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX adjust_balance_subscription_id ON adjust_balance (spid, subscription_id, id);

CREATE TABLE reserve_balance (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	subscription_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{subscriptionId}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX reserve_balance_subscription_id ON reserve_balance (spid, subscription_id, id);

CREATE TABLE transfer_balance (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	subscription_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{subscriptionId}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX transfer_balance_subscription_id ON transfer_balance (spid, subscription_id, id);

DROP INDEX topup_status;
ALTER TABLE topup DROP COLUMN status;
