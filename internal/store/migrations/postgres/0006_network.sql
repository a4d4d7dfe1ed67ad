-- What is asked of the network, one row a request.

CREATE TABLE provisioning_request (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	state TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{state}') STORED,
	subscription_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{subscriptionId}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX provisioning_request_state ON provisioning_request (spid, state, id);
CREATE INDEX provisioning_request_subscription_id ON provisioning_request (spid, subscription_id, id);
