-- A store of format 4 with two sites, an incident and an outage, as a store of format 3 becomes it. Never changed: later versions are
-- tested against it.
BEGIN;
CREATE TABLE traffic (
    site TEXT NOT NULL,
    minute INTEGER NOT NULL CHECK (minute % 60 = 0),
    requests INTEGER NOT NULL CHECK (requests >= 0),
    responses_2xx INTEGER NOT NULL CHECK (responses_2xx >= 0),
    responses_3xx INTEGER NOT NULL CHECK (responses_3xx >= 0),
    responses_4xx INTEGER NOT NULL CHECK (responses_4xx >= 0),
    responses_5xx INTEGER NOT NULL CHECK (responses_5xx >= 0),
    cache_hits INTEGER NOT NULL CHECK (cache_hits >= 0),
    cache_stale INTEGER NOT NULL CHECK (cache_stale >= 0),
    cache_misses INTEGER NOT NULL CHECK (cache_misses >= 0),
    refused_prefix_rate INTEGER NOT NULL CHECK (refused_prefix_rate >= 0),
    origin_requests INTEGER NOT NULL CHECK (origin_requests >= 0),
    origin_errors INTEGER NOT NULL CHECK (origin_errors >= 0),
    origin_5xx INTEGER NOT NULL CHECK (origin_5xx >= 0),
    origin_wait_us INTEGER NOT NULL CHECK (origin_wait_us >= 0),
    request_body_bytes INTEGER NOT NULL CHECK (request_body_bytes >= 0),
    response_body_bytes INTEGER NOT NULL CHECK (response_body_bytes >= 0),
    admission_admitted INTEGER NOT NULL DEFAULT 0 CHECK (admission_admitted >= 0),
    admission_waited INTEGER NOT NULL DEFAULT 0 CHECK (admission_waited >= 0),
    admission_abandoned INTEGER NOT NULL DEFAULT 0 CHECK (admission_abandoned >= 0),
    admission_over_share INTEGER NOT NULL DEFAULT 0 CHECK (admission_over_share >= 0),
    admission_refused_no_room INTEGER NOT NULL DEFAULT 0 CHECK (admission_refused_no_room >= 0),
    admission_refused_over_share INTEGER NOT NULL DEFAULT 0 CHECK (admission_refused_over_share >= 0),
    admission_refused_displaced INTEGER NOT NULL DEFAULT 0 CHECK (admission_refused_displaced >= 0),
    admission_refused_waited_out INTEGER NOT NULL DEFAULT 0 CHECK (admission_refused_waited_out >= 0),
    admission_challenged_redirect INTEGER NOT NULL DEFAULT 0 CHECK (admission_challenged_redirect >= 0),
    admission_challenged_choice INTEGER NOT NULL DEFAULT 0 CHECK (admission_challenged_choice >= 0),
    admission_challenged_waiting_room INTEGER NOT NULL DEFAULT 0 CHECK (admission_challenged_waiting_room >= 0),
    admission_sources_forgotten INTEGER NOT NULL DEFAULT 0 CHECK (admission_sources_forgotten >= 0),
    admission_tickets_uncounted INTEGER NOT NULL DEFAULT 0 CHECK (admission_tickets_uncounted >= 0),
    PRIMARY KEY (site, minute)
) STRICT, WITHOUT ROWID;
CREATE TABLE incident (
    key TEXT NOT NULL PRIMARY KEY,
    site TEXT NOT NULL,
    opened INTEGER NOT NULL,
    open INTEGER NOT NULL CHECK (open IN (0, 1)),
    document TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX incident_by_opened ON incident (opened);
CREATE TABLE incident_revision (
    incident TEXT NOT NULL REFERENCES incident (key),
    at INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (incident, at)
) STRICT, WITHOUT ROWID;
CREATE TABLE outage (
    key TEXT NOT NULL PRIMARY KEY,
    target TEXT NOT NULL,
    site TEXT,
    vantage TEXT NOT NULL,
    family TEXT NOT NULL CHECK (family IN ('any', 'ipv4', 'ipv6')),
    start_earliest INTEGER,
    start_latest INTEGER NOT NULL,
    end_earliest INTEGER,
    end_latest INTEGER,
    unknown_micros INTEGER NOT NULL CHECK (unknown_micros >= 0),
    causes TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX outage_by_start ON outage (start_latest);
CREATE TABLE unknown_time (
    target TEXT NOT NULL,
    vantage TEXT NOT NULL,
    family TEXT NOT NULL CHECK (family IN ('any', 'ipv4', 'ipv6')),
    start INTEGER NOT NULL,
    end INTEGER NOT NULL CHECK (end >= start),
    cause TEXT NOT NULL,
    PRIMARY KEY (target, vantage, family, start)
) STRICT, WITHOUT ROWID;
CREATE INDEX unknown_time_by_end ON unknown_time (end);
CREATE TABLE watched (
    target TEXT NOT NULL,
    vantage TEXT NOT NULL,
    family TEXT NOT NULL CHECK (family IN ('any', 'ipv4', 'ipv6')),
    site TEXT,
    since INTEGER NOT NULL,
    known_until INTEGER NOT NULL,
    PRIMARY KEY (target, vantage, family)
) STRICT, WITHOUT ROWID;
PRAGMA application_id = 1179403351;
PRAGMA user_version = 4;
INSERT INTO traffic VALUES ('sos', 1667916120, 1000, 900, 50, 40, 10, 700, 5, 120, 3, 200, 2, 1, 5500000, 4096, 9000000, 195, 30, 2, 12, 1, 9, 3, 4, 60, 20, 5, 0, 0);
INSERT INTO traffic VALUES ('sos', 1667916180, 300, 290, 5, 4, 1, 200, 0, 20, 0, 80, 0, 0, 1500000, 0, 800000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
INSERT INTO traffic VALUES ('county', 1667916120, 10, 10, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 70000, 0, 12345, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
INSERT INTO incident VALUES ('sos-20221108-140200-1', 'sos', 1667916120, 0, '{"id":"sos-20221108-140200-1","site":"sos","state":"ended"}');
INSERT INTO incident_revision VALUES ('sos-20221108-140200-1', 1667916121000000, '{"verdict":"unknown"}');
INSERT INTO incident_revision VALUES ('sos-20221108-140200-1', 1667916125000000, '{"verdict":"crowd"}');
INSERT INTO outage VALUES ('home-ipv4-1667916125', 'home', 'sos', 'here', 'ipv4', 1667916115000000, 1667916125000000, 1667916300000000, 1667916310000000, 30000000, 'connect_refused=17 connect_timeout=2');
INSERT INTO unknown_time VALUES ('home', 'here', 'ipv4', 1667916200000000, 1667916230000000, 'silent');
INSERT INTO watched VALUES ('home', 'here', 'ipv4', 'sos', 1667900000000000, 1667916400000000);
COMMIT;
