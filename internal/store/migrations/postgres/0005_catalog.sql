-- Categories, specifications, prices, tariffs and the jobs of the catalogue.

CREATE TABLE catalog (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	name TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{name}') STORED,
	lifecycle_status TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{lifecycleStatus}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX catalog_name ON catalog (spid, name, id);
CREATE INDEX catalog_lifecycle_status ON catalog (spid, lifecycle_status, id);

CREATE TABLE category (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	name TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{name}') STORED,
	lifecycle_status TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{lifecycleStatus}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX category_name ON category (spid, name, id);
CREATE INDEX category_lifecycle_status ON category (spid, lifecycle_status, id);

CREATE TABLE product_specification (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	name TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{name}') STORED,
	lifecycle_status TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{lifecycleStatus}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX product_specification_name ON product_specification (spid, name, id);
CREATE INDEX product_specification_lifecycle_status ON product_specification (spid, lifecycle_status, id);

CREATE TABLE product_offering_price (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	name TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{name}') STORED,
	lifecycle_status TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{lifecycleStatus}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX product_offering_price_name ON product_offering_price (spid, name, id);
CREATE INDEX product_offering_price_lifecycle_status ON product_offering_price (spid, lifecycle_status, id);

CREATE TABLE tariff (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	name TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{name}') STORED,
	lifecycle_status TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{lifecycleStatus}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX tariff_name ON tariff (spid, name, id);
CREATE INDEX tariff_lifecycle_status ON tariff (spid, lifecycle_status, id);

CREATE TABLE import_job (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	status TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{status}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX import_job_status ON import_job (spid, status, id);

CREATE TABLE export_job (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	status TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{status}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX export_job_status ON export_job (spid, status, id);

ALTER TABLE product_offering ADD COLUMN offering_type TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{offeringType}') STORED;
CREATE INDEX product_offering_offering_type ON product_offering (spid, offering_type, id);
