-- Vouchers: batches, the vouchers in them, what is kept of their PINs until it is handed out, and the bad codes that lines tried.

CREATE TABLE voucher_batch (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	batch_number TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{batchNumber}') STORED,
	status TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{voucherStatus}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX voucher_batch_batch_number ON voucher_batch (spid, batch_number, id);
CREATE INDEX voucher_batch_status ON voucher_batch (spid, status, id);

CREATE TABLE voucher (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	PRIMARY KEY (spid, id, home)
);

CREATE TABLE voucher_sheet (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	batch_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{batchId}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX voucher_sheet_batch_id ON voucher_sheet (spid, batch_id, id);

CREATE TABLE voucher_guard (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	PRIMARY KEY (spid, id, home)
);
