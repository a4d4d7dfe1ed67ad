-- Workers look for due jobs of some kinds only: a backlog of the others is passed over within the index.

DROP INDEX job_due;
CREATE INDEX job_due ON job (due, kind) WHERE state IN ('ready', 'running');
