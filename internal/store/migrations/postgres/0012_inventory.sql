-- What a line needs: where available numbers and SIMs are found, groups of numbers, batches of SIMs, serial numbers,
-- reservations.

ALTER TABLE msisdn_resource ADD COLUMN free TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{free}') STORED;
CREATE INDEX msisdn_resource_free ON msisdn_resource (spid, free, id) WHERE free IS NOT NULL;

ALTER TABLE msisdn_resource ADD COLUMN draw TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{draw}') STORED;
CREATE INDEX msisdn_resource_draw ON msisdn_resource (spid, draw, id) WHERE draw IS NOT NULL;

ALTER TABLE sim ADD COLUMN draw TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{draw}') STORED;
CREATE INDEX sim_draw ON sim (spid, draw, id) WHERE draw IS NOT NULL;

-- What is available already is found there, too.
UPDATE msisdn_resource SET doc = (doc::jsonb || jsonb_build_object('pricing', 'regular', 'free', msisdn, 'draw', 'regular/' || reverse(msisdn)))::json
WHERE status = 'available';
UPDATE sim SET doc = (doc::jsonb || jsonb_build_object('simType', 'physical', 'draw', 'physical/' || reverse(iccid)))::json
WHERE status = 'available';

CREATE TABLE msisdn_group (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	name TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{name}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX msisdn_group_name ON msisdn_group (spid, name, id);

CREATE TABLE sim_batch (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	name TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{name}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX sim_batch_name ON sim_batch (spid, name, id);

CREATE TABLE serial_number (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	serial_number TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{serialNumber}') STORED,
	status TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{status}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX serial_number_serial_number ON serial_number (spid, serial_number, id);
CREATE INDEX serial_number_status ON serial_number (spid, status, id);

CREATE TABLE msisdn_reservation (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	status TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{status}') STORED,
	msisdn TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{msisdn}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX msisdn_reservation_status ON msisdn_reservation (spid, status, id);
CREATE INDEX msisdn_reservation_msisdn ON msisdn_reservation (spid, msisdn, id);

