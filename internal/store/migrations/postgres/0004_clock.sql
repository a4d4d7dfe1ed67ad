-- Entries stand in the order in which they were booked on their account: n counts them, and at never goes back,
-- so that the balance of any past moment is found by the index alone.

ALTER TABLE ledger_balance ADD COLUMN at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ledger_balance ADD COLUMN n BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ledger_entry ADD COLUMN at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ledger_entry ADD COLUMN n BIGINT NOT NULL DEFAULT 0;

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

-- How time goes at each service provider: by the machine's clock, or, for a sandbox, by one of its own that stands
-- at "at" until it is moved to "target" (0: it stands); "origin" and "began" are where it set out and when by the
-- machine's clock, "stops" at how many moments it stopped on the way, "job" which job moves it.
CREATE TABLE clock (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, sandbox INTEGER NOT NULL, at BIGINT NOT NULL,
	target BIGINT NOT NULL, origin BIGINT NOT NULL, began BIGINT NOT NULL, stops BIGINT NOT NULL, job TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (home, spid)
);

INSERT INTO clock (home, spid, sandbox, at, target, origin, began, stops, job)
	SELECT DISTINCT 0, spid, 0, 0, 0, 0, 0, 0, '' FROM service_provider;

-- A job of a sandbox waits for the sandbox's clock: until its run_at comes, it is due at the end of time. By "clock",
-- 0 is the machine's, 1 the sandbox's, 2 the sandbox's too but for work that the clock does not wait for.
ALTER TABLE job ADD COLUMN clock INTEGER NOT NULL DEFAULT 0;
CREATE INDEX job_parked ON job (spid, run_at) WHERE clock > 0 AND state = 'ready' AND due = 9223372036854775807;
CREATE INDEX job_open ON job (spid, clock) WHERE clock = 1 AND state IN ('ready', 'running') AND due < 9223372036854775807;
