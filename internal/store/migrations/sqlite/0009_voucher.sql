-- Vouchers: batches, the vouchers in them, what is kept of their PINs until it is handed out, and the bad codes that lines tried.

CREATE TABLE voucher_batch (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	batch_number TEXT GENERATED ALWAYS AS (json_extract(doc, '$.batchNumber')) VIRTUAL,
	status TEXT GENERATED ALWAYS AS (json_extract(doc, '$.voucherStatus')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX voucher_batch_batch_number ON voucher_batch (spid, batch_number, id);
CREATE INDEX voucher_batch_status ON voucher_batch (spid, status, id);

CREATE TABLE voucher (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	PRIMARY KEY (spid, id, home)
);

CREATE TABLE voucher_sheet (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	batch_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.batchId')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX voucher_sheet_batch_id ON voucher_sheet (spid, batch_id, id);

CREATE TABLE voucher_guard (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	PRIMARY KEY (spid, id, home)
);
