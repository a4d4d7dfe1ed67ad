-- The collections, all of one shape (migrations/newtable prints it): the key, the row's own columns, the
-- document as it came, and the attributes that are searched. They are strings, or missing.

CREATE TABLE individual (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	family_name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.familyName')) VIRTUAL,
	given_name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.givenName')) VIRTUAL,
	status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.status')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX individual_family_name ON individual (spid, family_name, id);
CREATE INDEX individual_given_name ON individual (spid, given_name, id);
CREATE INDEX individual_status ON individual (spid, status, id);

CREATE TABLE organization (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	trading_name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.tradingName')) VIRTUAL,
	status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.status')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX organization_trading_name ON organization (spid, trading_name, id);
CREATE INDEX organization_status ON organization (spid, status, id);

CREATE TABLE party_role (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL,
	status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.status')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX party_role_name ON party_role (spid, name, id);
CREATE INDEX party_role_status ON party_role (spid, status, id);

CREATE TABLE customer (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL,
	status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.status')) VIRTUAL,
	engaged_party TEXT GENERATED ALWAYS AS (json_extract(doc, '$.engagedParty.id')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX customer_name ON customer (spid, name, id);
CREATE INDEX customer_status ON customer (spid, status, id);
CREATE INDEX customer_engaged_party ON customer (spid, engaged_party, id);

CREATE TABLE billing_account (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL,
	state TEXT GENERATED ALWAYS AS (json_extract(doc, '$.state')) VIRTUAL,
	account_number TEXT GENERATED ALWAYS AS (json_extract(doc, '$.accountNumber')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX billing_account_name ON billing_account (spid, name, id);
CREATE INDEX billing_account_state ON billing_account (spid, state, id);
CREATE INDEX billing_account_account_number ON billing_account (spid, account_number, id);

CREATE TABLE party_account (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL,
	state TEXT GENERATED ALWAYS AS (json_extract(doc, '$.state')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX party_account_name ON party_account (spid, name, id);
CREATE INDEX party_account_state ON party_account (spid, state, id);

CREATE TABLE financial_account (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL,
	state TEXT GENERATED ALWAYS AS (json_extract(doc, '$.state')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX financial_account_name ON financial_account (spid, name, id);
CREATE INDEX financial_account_state ON financial_account (spid, state, id);

CREATE TABLE settlement_account (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL,
	state TEXT GENERATED ALWAYS AS (json_extract(doc, '$.state')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX settlement_account_name ON settlement_account (spid, name, id);
CREATE INDEX settlement_account_state ON settlement_account (spid, state, id);

CREATE TABLE bill_format (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX bill_format_name ON bill_format (spid, name, id);

CREATE TABLE billing_cycle_specification (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX billing_cycle_specification_name ON billing_cycle_specification (spid, name, id);

CREATE TABLE bill_presentation_media (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX bill_presentation_media_name ON bill_presentation_media (spid, name, id);

CREATE TABLE service_provider (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL,
	status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.status')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX service_provider_name ON service_provider (spid, name, id);
CREATE INDEX service_provider_status ON service_provider (spid, status, id);

CREATE TABLE product_offering (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL,
	lifecycle_status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.lifecycleStatus')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX product_offering_name ON product_offering (spid, name, id);
CREATE INDEX product_offering_lifecycle_status ON product_offering (spid, lifecycle_status, id);

CREATE TABLE msisdn_resource (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	msisdn TEXT GENERATED ALWAYS AS (json_extract(doc, '$.msisdn')) VIRTUAL,
	status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.status')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX msisdn_resource_msisdn ON msisdn_resource (spid, msisdn, id);
CREATE INDEX msisdn_resource_status ON msisdn_resource (spid, status, id);

CREATE TABLE sim (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	iccid TEXT GENERATED ALWAYS AS (json_extract(doc, '$.iccid')) VIRTUAL,
	imsi TEXT GENERATED ALWAYS AS (json_extract(doc, '$.imsi')) VIRTUAL,
	status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.status')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX sim_iccid ON sim (spid, iccid, id);
CREATE INDEX sim_imsi ON sim (spid, imsi, id);
CREATE INDEX sim_status ON sim (spid, status, id);

CREATE TABLE subscription (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	account_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.accountId')) VIRTUAL,
	msisdn TEXT GENERATED ALWAYS AS (json_extract(doc, '$.msisdn')) VIRTUAL,
	status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.status')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX subscription_account_id ON subscription (spid, account_id, id);
CREATE INDEX subscription_msisdn ON subscription (spid, msisdn, id);
CREATE INDEX subscription_status ON subscription (spid, status, id);

CREATE TABLE bucket (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	subscription_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.subscriptionId')) VIRTUAL,
	status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.status')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX bucket_subscription_id ON bucket (spid, subscription_id, id);
CREATE INDEX bucket_status ON bucket (spid, status, id);

CREATE TABLE product_order (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	state TEXT GENERATED ALWAYS AS (json_extract(doc, '$.state')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX product_order_state ON product_order (spid, state, id);

CREATE TABLE topup (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	subscription_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.subscriptionId')) VIRTUAL,
	status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.status')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX topup_subscription_id ON topup (spid, subscription_id, id);
CREATE INDEX topup_status ON topup (spid, status, id);

CREATE TABLE hub (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	callback TEXT GENERATED ALWAYS AS (json_extract(doc, '$.callback')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX hub_callback ON hub (spid, callback, id);

CREATE TABLE api_key (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL,
	status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.status')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX api_key_name ON api_key (spid, name, id);
CREATE INDEX api_key_status ON api_key (spid, status, id);
