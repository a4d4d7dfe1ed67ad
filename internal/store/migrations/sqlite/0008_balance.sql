-- Who may spend a bucket is found by one column, and only while it can be spent.

DROP INDEX bucket_status;
ALTER TABLE bucket DROP COLUMN status;
ALTER TABLE bucket ADD COLUMN held_by TEXT GENERATED ALWAYS AS (json_extract(doc, '$.heldBy')) VIRTUAL;
UPDATE bucket SET doc = json_set(doc, '$.heldBy', json_extract(doc, '$.subscriptionId')) WHERE json_extract(doc, '$.status') <> 'expired';
CREATE INDEX bucket_held_by ON bucket (spid, held_by, id) WHERE held_by IS NOT NULL;
