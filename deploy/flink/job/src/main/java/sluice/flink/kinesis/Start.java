package sluice.flink.kinesis;

import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.Objects;

/** Where a shard without a position begins. Immutable. */
final class Start {
  /** As much earlier a shard begins that was told `latest` before: clocks differ. As in schemas/limits.ts, `latestMarginMs`. */
  private static final long LATEST_MARGIN_MS = 60_000;

  enum Kind {
    OLDEST,
    LATEST,
    SINCE
  }

  static final Start OLDEST = new Start(Kind.OLDEST, 0);

  final Kind kind;
  /** Of SINCE, the first arrival; of LATEST, when that was said; epoch ms. */
  final long atMs;

  Start(Kind kind, long atMs) {
    this.kind = kind;
    this.atMs = atMs;
  }

  /** As it is written in the settings. */
  static Start of(String text, String where, long nowMs) {
    if (text.equals("earliest")) return OLDEST;
    if (text.equals("latest")) return new Start(Kind.LATEST, nowMs);
    try {
      return new Start(Kind.SINCE, OffsetDateTime.parse(text).toInstant().toEpochMilli());
    } catch (RuntimeException cause) {
      throw new IllegalArgumentException(
          "settings." + where + ".from: expected earliest, latest, a time such as 2026-01-31T08:00:00Z or {\"positions\": {...}}, got '" + text + "'", cause);
    }
  }

  /** Asked for again, the newest record would leave out what has come since. */
  Start kept() {
    return kind == Kind.LATEST ? new Start(Kind.SINCE, atMs - LATEST_MARGIN_MS) : this;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Start && ((Start) other).kind == kind && ((Start) other).atMs == atMs;
  }

  @Override
  public int hashCode() {
    return Objects.hash(kind, atMs);
  }

  @Override
  public String toString() {
    return kind == Kind.SINCE ? Instant.ofEpochMilli(atMs).toString() : kind.name().toLowerCase();
  }
}
