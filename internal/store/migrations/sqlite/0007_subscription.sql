-- Lines are found by their state and by their SIM.

ALTER TABLE subscription ADD COLUMN state TEXT GENERATED ALWAYS AS (json_extract(doc, '$.state')) VIRTUAL;
ALTER TABLE subscription ADD COLUMN iccid TEXT GENERATED ALWAYS AS (json_extract(doc, '$.iccid')) VIRTUAL;

CREATE INDEX subscription_state ON subscription (spid, state, id);
CREATE INDEX subscription_iccid ON subscription (spid, iccid, id);
