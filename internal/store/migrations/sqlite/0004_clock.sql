-- Entries stand in the order in which they were booked on their account: n counts them, and at never goes back,
-- so that the balance of any past moment is found by the index alone.

ALTER TABLE ledger_balance ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger_balance ADD COLUMN n INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger_entry ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger_entry ADD COLUMN n INTEGER NOT NULL DEFAULT 0;

UPDATE ledger_entry SET at = booked.at, n = booked.n FROM (
	SELECT e.home, e.spid, e.posting, e.seq,
		max(p.at) OVER (PARTITION BY e.home, e.spid, e.account, e.unit ORDER BY e.posting, e.seq) AS at,
		row_number() OVER (PARTITION BY e.home, e.spid, e.account, e.unit ORDER BY e.posting, e.seq) AS n
	FROM ledger_entry e JOIN ledger_posting p ON p.home = e.home AND p.spid = e.spid AND p.id = e.posting
) AS booked
WHERE ledger_entry.home = booked.home AND ledger_entry.spid = booked.spid
	AND ledger_entry.posting = booked.posting AND ledger_entry.seq = booked.seq;

UPDATE ledger_balance SET at = booked.at, n = booked.n FROM (
	SELECT home, spid, account, unit, max(at) AS at, max(n) AS n FROM ledger_entry GROUP BY home, spid, account, unit
) AS booked
WHERE ledger_balance.home = booked.home AND ledger_balance.spid = booked.spid
	AND ledger_balance.account = booked.account AND ledger_balance.unit = booked.unit;

DROP INDEX ledger_entry_account;
CREATE INDEX ledger_entry_account ON ledger_entry (home, spid, account, unit, at, n);
