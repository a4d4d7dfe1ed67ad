-- Means of payment, what they are known by at gateways, payments and refunds, and what passed between demarc and the gateway.

CREATE TABLE payment (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	account_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{account,id}') STORED,
	status TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{status}') STORED,
	correlator_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{correlatorId}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX payment_account_id ON payment (spid, account_id, id);
CREATE INDEX payment_status ON payment (spid, status, id);
CREATE INDEX payment_correlator_id ON payment (spid, correlator_id, id);

CREATE TABLE refund (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	account_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{account,id}') STORED,
	status TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{status}') STORED,
	payment_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{payment,id}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX refund_account_id ON refund (spid, account_id, id);
CREATE INDEX refund_status ON refund (spid, status, id);
CREATE INDEX refund_payment_id ON refund (spid, payment_id, id);

CREATE TABLE payment_method (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	name TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{name}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX payment_method_name ON payment_method (spid, name, id);

CREATE TABLE payment_token (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	account_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{accountID}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX payment_token_account_id ON payment_token (spid, account_id, id);

CREATE TABLE payment_vault (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	PRIMARY KEY (spid, id, home)
);

CREATE TABLE payment_call (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	PRIMARY KEY (spid, id, home)
);
