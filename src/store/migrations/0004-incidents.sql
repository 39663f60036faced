-- One incident as it is known: a row with a greater Version replaces those before it. A time that has not come is NULL,
-- so that it is in no median.
CREATE TABLE IF NOT EXISTS incidents {on_cluster}
(
    IncidentId String CODEC(ZSTD(1)),
    IncidentKey String CODEC(ZSTD(1)),
    Source LowCardinality(String) CODEC(ZSTD(1)),
    Policy LowCardinality(String) CODEC(ZSTD(1)),
    PolicyRevision LowCardinality(String) CODEC(ZSTD(1)),
    Kpi LowCardinality(String) CODEC(ZSTD(1)),
    AgentName LowCardinality(String) CODEC(ZSTD(1)),
    Release LowCardinality(String) CODEC(ZSTD(1)),
    Environment LowCardinality(String) CODEC(ZSTD(1)),
    Severity LowCardinality(String) CODEC(ZSTD(1)),
    Owner LowCardinality(String) CODEC(ZSTD(1)),
    Title String CODEC(ZSTD(1)),
    Summary String CODEC(ZSTD(1)),
    StartedTime DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    DetectedTime DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    AcknowledgedTime Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    MitigatedTime Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    ResolvedTime Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    Resolution LowCardinality(String) CODEC(ZSTD(1)),
    Repeats UInt32 CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    SecondsToDetect Float64 ALIAS dateDiff('millisecond', StartedTime, DetectedTime) / 1000,
    SecondsToAcknowledge Nullable(Float64) ALIAS dateDiff('millisecond', DetectedTime, AcknowledgedTime) / 1000,
    SecondsToMitigate Nullable(Float64) ALIAS dateDiff('millisecond', DetectedTime, MitigatedTime) / 1000,
    SecondsToResolve Nullable(Float64) ALIAS dateDiff('millisecond', DetectedTime, ResolvedTime) / 1000
)
ENGINE = {engine:ReplacingMergeTree(Version)}
ORDER BY IncidentId
SETTINGS {no_deduplication}, {durability}, index_granularity = 8192, min_bytes_for_wide_part = 134217728;

-- Each incident once, as it is known now.
CREATE VIEW IF NOT EXISTS incidents_now {on_cluster} AS
SELECT *, SecondsToDetect, SecondsToAcknowledge, SecondsToMitigate, SecondsToResolve
FROM incidents FINAL;
