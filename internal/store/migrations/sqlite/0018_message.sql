-- Messages to customers, and the words that service providers have for them beside the built-in ones.

CREATE TABLE communication_message (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	state TEXT GENERATED ALWAYS AS (json_extract(doc, '$.state')) VIRTUAL,
	message_type TEXT GENERATED ALWAYS AS (json_extract(doc, '$.messageType')) VIRTUAL,
	subscription_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.subscriptionId')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX communication_message_state ON communication_message (spid, state, id);
CREATE INDEX communication_message_message_type ON communication_message (spid, message_type, id);
CREATE INDEX communication_message_subscription_id ON communication_message (spid, subscription_id, id);

CREATE TABLE message_template (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL,
	language TEXT GENERATED ALWAYS AS (json_extract(doc, '$.language')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX message_template_name ON message_template (spid, name, id);
CREATE INDEX message_template_language ON message_template (spid, language, id);
