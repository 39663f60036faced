-- The events of the journal of rollbacks, as they happened: a copy, which loses nothing when a row comes again. Hash is
-- that of the event, PrevHash that of the one before it.
CREATE TABLE IF NOT EXISTS rollbacks {on_cluster}
(
    Timestamp DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    Seq UInt64 CODEC(ZSTD(1)),
    Hash String CODEC(ZSTD(1)),
    PrevHash String CODEC(ZSTD(1)),
    RollbackId String CODEC(ZSTD(1)),
    Event LowCardinality(String) CODEC(ZSTD(1)),
    State LowCardinality(String) CODEC(ZSTD(1)),
    Target LowCardinality(String) CODEC(ZSTD(1)),
    Policy LowCardinality(String) CODEC(ZSTD(1)),
    PolicyRevision LowCardinality(String) CODEC(ZSTD(1)),
    AgentName LowCardinality(String) CODEC(ZSTD(1)),
    Environment LowCardinality(String) CODEC(ZSTD(1)),
    FromRelease LowCardinality(String) CODEC(ZSTD(1)),
    ToRelease LowCardinality(String) CODEC(ZSTD(1)),
    Mode LowCardinality(String) CODEC(ZSTD(1)),
    Cause LowCardinality(String) CODEC(ZSTD(1)),
    Actor LowCardinality(String) CODEC(ZSTD(1)),
    Reason String CODEC(ZSTD(1)),
    Evidence String CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1))
)
ENGINE = {engine:ReplacingMergeTree(Version)}
ORDER BY (Seq, Hash)
SETTINGS {no_deduplication}, {durability}, index_granularity = 8192, min_bytes_for_wide_part = 134217728;

-- Each event once, in the order of the journal.
CREATE VIEW IF NOT EXISTS rollback_events {on_cluster} AS
SELECT *
FROM rollbacks FINAL
ORDER BY Seq;
