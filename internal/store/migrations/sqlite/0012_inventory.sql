-- What a line needs: where available numbers and SIMs are found, groups of numbers, batches of SIMs, serial numbers,
-- reservations.

ALTER TABLE msisdn_resource ADD COLUMN free TEXT GENERATED ALWAYS AS (json_extract(doc, '$.free')) VIRTUAL;
CREATE INDEX msisdn_resource_free ON msisdn_resource (spid, free, id) WHERE free IS NOT NULL;

ALTER TABLE msisdn_resource ADD COLUMN draw TEXT GENERATED ALWAYS AS (json_extract(doc, '$.draw')) VIRTUAL;
CREATE INDEX msisdn_resource_draw ON msisdn_resource (spid, draw, id) WHERE draw IS NOT NULL;

ALTER TABLE sim ADD COLUMN draw TEXT GENERATED ALWAYS AS (json_extract(doc, '$.draw')) VIRTUAL;
CREATE INDEX sim_draw ON sim (spid, draw, id) WHERE draw IS NOT NULL;

-- What is available already is found there, too.
UPDATE msisdn_resource SET doc = json_set(doc, '$.pricing', 'regular', '$.free', json_extract(doc, '$.msisdn'), '$.draw', 'regular/'||
substr(msisdn, 15, 1)||substr(msisdn, 14, 1)||substr(msisdn, 13, 1)||substr(msisdn, 12, 1)||substr(msisdn, 11, 1)||substr(msisdn, 10, 1)||substr(msisdn, 9, 1)||substr(msisdn, 8, 1)||substr(msisdn, 7, 1)||substr(msisdn, 6, 1)||substr(msisdn, 5, 1)||substr(msisdn, 4, 1)||substr(msisdn, 3, 1)||substr(msisdn, 2, 1)||substr(msisdn, 1, 1))
WHERE status = 'available';
UPDATE sim SET doc = json_set(doc, '$.simType', 'physical', '$.draw', 'physical/'||
substr(iccid, 20, 1)||substr(iccid, 19, 1)||substr(iccid, 18, 1)||substr(iccid, 17, 1)||substr(iccid, 16, 1)||substr(iccid, 15, 1)||substr(iccid, 14, 1)||substr(iccid, 13, 1)||substr(iccid, 12, 1)||substr(iccid, 11, 1)||substr(iccid, 10, 1)||substr(iccid, 9, 1)||substr(iccid, 8, 1)||substr(iccid, 7, 1)||substr(iccid, 6, 1)||substr(iccid, 5, 1)||substr(iccid, 4, 1)||substr(iccid, 3, 1)||substr(iccid, 2, 1)||substr(iccid, 1, 1))
WHERE status = 'available';

CREATE TABLE msisdn_group (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX msisdn_group_name ON msisdn_group (spid, name, id);

CREATE TABLE sim_batch (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	name TEXT GENERATED ALWAYS AS (json_extract(doc, '$.name')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX sim_batch_name ON sim_batch (spid, name, id);

CREATE TABLE serial_number (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	serial_number TEXT GENERATED ALWAYS AS (json_extract(doc, '$.serialNumber')) VIRTUAL,
	status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.status')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX serial_number_serial_number ON serial_number (spid, serial_number, id);
CREATE INDEX serial_number_status ON serial_number (spid, status, id);

CREATE TABLE msisdn_reservation (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.status')) VIRTUAL,
	msisdn TEXT GENERATED ALWAYS AS (json_extract(doc, '$.msisdn')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX msisdn_reservation_status ON msisdn_reservation (spid, status, id);
CREATE INDEX msisdn_reservation_msisdn ON msisdn_reservation (spid, msisdn, id);

