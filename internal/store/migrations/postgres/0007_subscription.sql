-- Lines are found by their state and by their SIM.

ALTER TABLE subscription ADD COLUMN state TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{state}') STORED;
ALTER TABLE subscription ADD COLUMN iccid TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{iccid}') STORED;

CREATE INDEX subscription_state ON subscription (spid, state, id);
CREATE INDEX subscription_iccid ON subscription (spid, iccid, id);
