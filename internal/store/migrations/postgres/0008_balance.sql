-- Who may spend a bucket is found by one column, and only while it can be spent.

DROP INDEX bucket_status;
ALTER TABLE bucket DROP COLUMN status;
UPDATE bucket SET doc = jsonb_set(doc::jsonb, '{heldBy}', doc::jsonb -> 'subscriptionId')::json WHERE doc ->> 'status' <> 'expired';
ALTER TABLE bucket ADD COLUMN held_by TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{heldBy}') STORED;
CREATE INDEX bucket_held_by ON bucket (spid, held_by, id) WHERE held_by IS NOT NULL;
