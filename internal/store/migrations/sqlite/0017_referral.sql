-- Referral codes of customers, and the referrals that came of them.

CREATE TABLE referral_code (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	customer_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.customerId')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX referral_code_customer_id ON referral_code (spid, customer_id, id);

CREATE TABLE referral (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT NOT NULL,
	version INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, doc TEXT NOT NULL,
	referrer_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.referrerId')) VIRTUAL,
	referred_id TEXT GENERATED ALWAYS AS (json_extract(doc, '$.referredId')) VIRTUAL,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX referral_referrer_id ON referral (spid, referrer_id, id);
CREATE INDEX referral_referred_id ON referral (spid, referred_id, id);
