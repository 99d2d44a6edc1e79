package sluice.flink.kinesis;

/** For how long a stream keeps its records: asked for where it matters, and known for a while. */
final class Retention {
  /** https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html */
  static final long LEAST_MS = 24 * 3_600_000L;
  /** How long before its time a record may be gone, as clocks differ. */
  private static final long TRIM_MARGIN_MS = 300_000;
  private static final long KNOWN_MS = 300_000;

  private final KinesisApi api;
  private long retentionMs;
  private long askedMs;

  Retention(KinesisApi api) {
    this.api = api;
  }

  /** Whether records that came after the last one that is known to be read may be removed by now. */
  synchronized boolean mayBeOver(long readToMs) {
    if (readToMs == 0) return false;
    long nowMs = System.currentTimeMillis();
    long ageMs = nowMs - readToMs + TRIM_MARGIN_MS;
    if (ageMs <= LEAST_MS) return false;
    if (retentionMs == 0 || nowMs - askedMs > KNOWN_MS) {
      retentionMs = api.retentionMs();
      askedMs = nowMs;
    }
    return ageMs > retentionMs;
  }
}
