-- Automatic top-ups of lines that a stored payment method pays: when they are due, and how they stand.

CREATE TABLE payment_schedule (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	subscription_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.subscriptionId')) VIRTUAL,
	account_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.accountID')) VIRTUAL,
	token_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.tokenID')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX payment_schedule_subscription_id ON payment_schedule (spid, subscription_id, id);
CREATE INDEX payment_schedule_account_id ON payment_schedule (spid, account_id, id);
CREATE INDEX payment_schedule_token_id ON payment_schedule (spid, token_id, id);
