-- Messages to customers, and the words that service providers have for them beside the built-in ones.

CREATE TABLE communication_message (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	state TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{state}') STORED,
	message_type TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{messageType}') STORED,
	subscription_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{subscriptionId}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX communication_message_state ON communication_message (spid, state, id);
CREATE INDEX communication_message_message_type ON communication_message (spid, message_type, id);
CREATE INDEX communication_message_subscription_id ON communication_message (spid, subscription_id, id);

CREATE TABLE message_template (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	name TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{name}') STORED,
	language TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{language}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX message_template_name ON message_template (spid, name, id);
CREATE INDEX message_template_language ON message_template (spid, language, id);
