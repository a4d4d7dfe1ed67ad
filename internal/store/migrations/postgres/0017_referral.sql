-- Referral codes of customers, and the referrals that came of them.

CREATE TABLE referral_code (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	customer_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{customerId}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX referral_code_customer_id ON referral_code (spid, customer_id, id);

CREATE TABLE referral (
	home INTEGER NOT NULL, spid INTEGER NOT NULL, id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL, doc JSON NOT NULL,
	referrer_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{referrerId}') STORED,
	referred_id TEXT COLLATE "C" GENERATED ALWAYS AS (doc #>> '{referredId}') STORED,
	PRIMARY KEY (spid, id, home)
);

CREATE INDEX referral_referrer_id ON referral (spid, referrer_id, id);
CREATE INDEX referral_referred_id ON referral (spid, referred_id, id);
