-- Automatic top-ups of lines that a stored payment method pays: when they are due, and how they stand.

CREATE TABLE payment_schedule (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	subscription_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{subscriptionId}') STORED,
	account_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{accountID}') STORED,
	token_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{tokenID}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX payment_schedule_subscription_id ON payment_schedule (spid, subscription_id, id);
CREATE INDEX payment_schedule_account_id ON payment_schedule (spid, account_id, id);
CREATE INDEX payment_schedule_token_id ON payment_schedule (spid, token_id, id);
