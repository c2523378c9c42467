-- A database as dppctl made it at commit a304d9f (migration r0004), with rows in every table.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('r0004');
CREATE TABLE apps_seen (
	app TEXT NOT NULL, 
	baseline DATETIME NOT NULL, 
	PRIMARY KEY (app)
);
INSERT INTO "apps_seen" VALUES('ann/app','2026-01-02 03:05:00.420307');
CREATE TABLE deliveries (
	id TEXT NOT NULL, 
	event TEXT NOT NULL, 
	repository TEXT, 
	ref TEXT, 
	"before" TEXT, 
	"after" TEXT, 
	state TEXT NOT NULL, 
	reason TEXT, 
	received DATETIME NOT NULL, 
	finished DATETIME, status JSON, 
	PRIMARY KEY (id)
);
INSERT INTO "deliveries" VALUES('d1','push','ann/app','refs/heads/master','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','cccccccccccccccccccccccccccccccccccccccc','failed','no network','2026-01-02 03:05:00.114318','2026-01-02 03:05:00.225031','null');
INSERT INTO "deliveries" VALUES('d2','status','ann/ops',NULL,NULL,'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','received',NULL,'2026-01-02 03:05:00.114318',NULL,'{"context": "argocd", "state": "success", "description": "synced"}');
INSERT INTO "deliveries" VALUES('d3','ping',NULL,NULL,NULL,NULL,'ignored','pong','2026-01-02 03:05:00.114318',NULL,'null');
CREATE TABLE deploy_requests (
	id INTEGER NOT NULL, 
	app TEXT NOT NULL, 
	environment TEXT NOT NULL, 
	ref TEXT, 
	state TEXT NOT NULL, 
	message TEXT NOT NULL, 
	deployment_id INTEGER, 
	created DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(deployment_id) REFERENCES deployments (id)
);
INSERT INTO "deploy_requests" VALUES(1,'ann/app','staging','v1','done','fine',1,'2026-01-02 03:05:00.938766');
INSERT INTO "deploy_requests" VALUES(2,'ann/app','production',NULL,'waiting','',NULL,'2026-01-02 03:05:00.004408');
CREATE TABLE deployment_events (
	id INTEGER NOT NULL, 
	deployment_id INTEGER NOT NULL, 
	time DATETIME NOT NULL, 
	phase TEXT NOT NULL, 
	message TEXT NOT NULL, 
	receipt JSON, 
	PRIMARY KEY (id), 
	FOREIGN KEY(deployment_id) REFERENCES deployments (id)
);
INSERT INTO "deployment_events" VALUES(1,1,'2026-01-02 03:04:00.000000','started','','null');
INSERT INTO "deployment_events" VALUES(2,1,'2026-01-02 03:04:00.000000','succeeded','','null');
INSERT INTO "deployment_events" VALUES(3,2,'2026-01-02 03:04:00.000000','failed','it broke','null');
INSERT INTO "deployment_events" VALUES(4,3,'2026-01-02 03:05:00.667151','building','building it','null');
CREATE TABLE deployments (
	id INTEGER NOT NULL, 
	app TEXT NOT NULL, 
	environment TEXT NOT NULL, 
	ref TEXT NOT NULL, 
	"commit" TEXT NOT NULL, 
	ops_commit TEXT, 
	state TEXT NOT NULL, 
	error TEXT, 
	receipt JSON, 
	created DATETIME NOT NULL, 
	changed DATETIME NOT NULL, 
	"key" TEXT NOT NULL, 
	log_size INTEGER NOT NULL, 
	log_dropped INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE ("key")
);
INSERT INTO "deployments" VALUES(1,'ann/app','staging','refs/heads/master','cccccccccccccccccccccccccccccccccccccccc','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','succeeded',NULL,'{"status": "succeeded", "pipelines": [{"id": "./one", "status": "succeeded", "rows": 3, "bytes": null, "hash": null, "seconds": null, "resources": [], "stats": {}, "error": null}], "source": null, "image": null, "started": "2026-01-02T03:04:00Z", "ended": "2026-01-02T03:04:00Z"}','2026-01-02 03:05:00.705808','2026-01-02 03:04:00.000000','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',13,0);
INSERT INTO "deployments" VALUES(2,'ann/app','staging','refs/heads/master','cccccccccccccccccccccccccccccccccccccccc','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','failed','it broke',NULL,'2026-01-02 03:05:00.372146','2026-01-02 03:04:00.000000','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',0,0);
INSERT INTO "deployments" VALUES(3,'ann/app','production','refs/tags/v1','dddddddddddddddddddddddddddddddddddddddd',NULL,'building',NULL,NULL,'2026-01-02 03:05:00.540843','2026-01-02 03:05:00.667151','6cc902e7489829780651b7f1a65c6b83bc15df70e5a83f2ed4781b7eaece7559',0,0);
CREATE TABLE github_notes (
	deployment_id INTEGER NOT NULL, 
	github_id BIGINT, 
	state TEXT, 
	status TEXT, 
	changed DATETIME, 
	seen TEXT, 
	PRIMARY KEY (deployment_id), 
	FOREIGN KEY(deployment_id) REFERENCES deployments (id)
);
INSERT INTO "github_notes" VALUES(1,1099511627776,'success','success: 3 rows','2026-01-02 03:04:00.000000','succeeded');
CREATE TABLE holds (
	app TEXT NOT NULL, 
	environment TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	since DATETIME NOT NULL, 
	until_ref TEXT, 
	until_tree TEXT, 
	PRIMARY KEY (app, environment)
);
INSERT INTO "holds" VALUES('ann/app','staging','elections','2026-01-02 03:05:00.877774','refs/heads/x','ffffffffffffffffffffffffffffffffffffffff');
CREATE TABLE images (
	app TEXT NOT NULL, 
	tree TEXT NOT NULL, 
	image TEXT NOT NULL, 
	built DATETIME NOT NULL, 
	PRIMARY KEY (app, tree)
);
INSERT INTO "images" VALUES('ann/app','eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee','reg/ann/app@sha256:0000000000000000000000000000000000000000000000000000000000000000','2026-01-02 03:05:00.810328');
CREATE TABLE log_chunks (
	id INTEGER NOT NULL, 
	deployment_id INTEGER NOT NULL, 
	text TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(deployment_id) REFERENCES deployments (id)
);
INSERT INTO "log_chunks" VALUES(1,1,'first
');
INSERT INTO "log_chunks" VALUES(2,1,'second
');
CREATE TABLE tags_seen (
	repository TEXT NOT NULL, 
	name TEXT NOT NULL, 
	"commit" TEXT NOT NULL, 
	appeared DATETIME NOT NULL, 
	PRIMARY KEY (repository, name)
);
INSERT INTO "tags_seen" VALUES('ann/app','refs/tags/v1','dddddddddddddddddddddddddddddddddddddddd','2026-01-02 03:05:00.219323');
CREATE TABLE totals (
	name TEXT NOT NULL, 
	value DOUBLE NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "totals" VALUES('changes',5.0);
INSERT INTO "totals" VALUES('git_calls',7.0);
CREATE INDEX ix_deliveries_received ON deliveries (received);
CREATE INDEX ix_deliveries_state ON deliveries (state);
CREATE INDEX ix_deployments_state ON deployments (state);
CREATE INDEX ix_deployments_place ON deployments (app, environment);
CREATE INDEX ix_deployment_events_deployment_id ON deployment_events (deployment_id);
CREATE INDEX ix_log_chunks_deployment_id ON log_chunks (deployment_id);
CREATE INDEX ix_deploy_requests_state ON deploy_requests (state);
CREATE INDEX ix_deployments_changed ON deployments (changed);
COMMIT;
