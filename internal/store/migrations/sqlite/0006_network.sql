-- What is asked of the network, one row a request.

CREATE TABLE provisioning_request (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	state TEXT GENERATED ALWAYS AS (json_extract(doc, '$.state')) VIRTUAL,
	subscription_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.subscriptionId')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX provisioning_request_state ON provisioning_request (spid, state, id);
CREATE INDEX provisioning_request_subscription_id ON provisioning_request (spid, subscription_id, id);
