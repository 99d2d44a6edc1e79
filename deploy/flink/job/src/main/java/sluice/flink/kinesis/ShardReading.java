package sluice.flink.kinesis;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sluice.flink.Claims;
import sluice.flink.Elem;
import sluice.flink.RawRecord;
import sluice.flink.kinesis.ShardBuffer.Item;
import software.amazon.awssdk.core.exception.AbortedException;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.services.kinesis.model.GetRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.Record;

/**
 * Reads one shard to its end, on a thread of its own, as deploy/streams/kinesis/kinesis-reader.ts.
 *
 * <p>1. Between two calls passes at least `readEveryMs`, `idleReadEveryMs` where the first found the
 * end, and as long as the bytes of the last one take at 2 MB/s: Kinesis gives a shard five calls and
 * 2 MB a second, which all its readers share. One that was throttled waits longer each time. 2. A
 * call that failed changes nothing. 3. Nothing is passed over silently: where records may have been
 * removed, which is when the last that is known to be read is about as old as the retention, a read
 * begins with the record at the position.
 */
final class ShardReading implements Runnable {
  private static final Logger LOG = LoggerFactory.getLogger(ShardReading.class);
  private static final long BACKOFF_LEAST_MS = 500;
  private static final long BACKOFF_MOST_MS = 10_000;
  /** Failed calls in a row of one shard before the job fails, and starts again as it is told to: about a minute. */
  private static final int FAILURES_MAX = 12;
  /** What one shard may be read by the second, a quota of Kinesis. */
  private static final long SHARD_BYTES_PER_SECOND = 2_000_000;

  /** Between two times that it is said that its end was found. */
  private static final long HEARD_EVERY_MS = 1_000;

  private final KinesisSettings settings;
  private final KinesisApi api;
  private final Retention retention;
  private final Claims claims;
  private final ShardBuffer buffer;
  private final String shard;
  private String after;
  private Start from;
  private long readToMs;
  private String iterator;
  /** The record that has to come first, where it may not be kept any more. */
  private String expects;
  private boolean ended;
  /** Monotonic. */
  private long notBeforeMs = nowMs();
  private long heardAtMs;
  private int throttles;
  private int failures;

  ShardReading(ShardSplit split, KinesisSettings settings, KinesisApi api, Retention retention, Claims claims, ShardBuffer buffer) {
    this.settings = settings;
    this.api = api;
    this.retention = retention;
    this.claims = claims;
    this.buffer = buffer;
    shard = split.splitId();
    after = split.position;
    from = split.from;
    readToMs = split.readToMs;
  }

  @Override
  public void run() {
    try {
      while (!ended) {
        Thread.sleep(Math.max(0, notBeforeMs - nowMs()));
        buffer.beginAnswer();
        try {
          read();
        } finally {
          buffer.endAnswer();
        }
      }
    } catch (InterruptedException closed) {
      // Its reader is closed, and nobody takes what it has.
    } catch (Throwable thrown) {
      if (!Thread.currentThread().isInterrupted()) buffer.fail(thrown);
    }
  }

  private static long nowMs() {
    return System.nanoTime() / 1_000_000;
  }

  /** One call, with what it takes to make it. */
  private void read() throws InterruptedException {
    long startedMs = nowMs();
    long startedAtMs = System.currentTimeMillis();
    notBeforeMs = startedMs + settings.readEveryMs;
    String action = "kinesis:GetShardIterator or kinesis:DescribeStreamSummary";
    GetRecordsResponse got;
    try {
      if (!seek()) return;
      action = "kinesis:GetRecords";
      got = api.records(iterator);
    } catch (SdkException thrown) {
      // What its reader's end did to a call is not a failure.
      if (thrown instanceof AbortedException || Thread.currentThread().isInterrupted()) throw new InterruptedException();
      failed(ReadFault.of(thrown, settings.stream, action, true));
      return;
    } catch (StreamFailure failure) {
      later(failure);
      return;
    }
    throttles = 0;
    failures = 0;
    long behindMs = got.millisBehindLatest() == null ? 0 : got.millisBehindLatest();
    notBeforeMs = startedMs + pauseMs(got, behindMs);
    if (!isConfirmed(got, behindMs)) return;
    iterator = got.nextShardIterator();
    take(got, behindMs, startedAtMs);
  }

  private long pauseMs(GetRecordsResponse got, long behindMs) {
    long bytes = 0;
    for (Record record : got.records()) bytes += record.data().asByteArrayUnsafe().length;
    long everyMs = behindMs == 0 ? Math.max(settings.readEveryMs, settings.idleReadEveryMs) : settings.readEveryMs;
    return Math.max(everyMs, bytes * 1_000 / SHARD_BYTES_PER_SECOND);
  }

  /** Makes `iterator` one that continues where it is; false if it begins somewhere else now. */
  private boolean seek() {
    if (iterator != null && expects != null) return true;
    expects = null;
    if (retention.mayBeOver(readToMs)) {
      if (after == null) return trimmed();
      iterator = api.at(shard, after);
      expects = after;
      return true;
    }
    if (iterator != null) return true;
    if (after != null) iterator = api.after(shard, after);
    else if (from.kind == Start.Kind.OLDEST) iterator = api.oldest(shard);
    else if (from.kind == Start.Kind.SINCE) iterator = api.since(shard, from.atMs);
    else {
      iterator = api.latest(shard);
      from = from.kept();
    }
    return true;
  }

  /** Whether what was got continues where it is; of a record that was looked for, it has to be the first. */
  private boolean isConfirmed(GetRecordsResponse got, long behindMs) {
    if (expects == null) return true;
    // Kinesis may give nothing and be far from the end.
    if (got.records().isEmpty() && behindMs > 0 && got.nextShardIterator() != null) return true;
    boolean isThere = !got.records().isEmpty() && got.records().get(0).sequenceNumber().equals(expects);
    if (isThere) return true;
    return trimmed();
  }

  /** What comes next is no longer kept: fails, or goes on with the oldest that is. */
  private boolean trimmed() {
    String what = after == null ? "the records since it was read last" : "the record at the last read position " + after;
    String why = "shard " + shard + ": " + what + " is no longer kept, and records after it may be gone too";
    if (!settings.skipsTrimmed)
      throw new StreamFailure(
          "position-trimmed", settings.stream, why + "; set \"whenTrimmed\": \"oldest\" to continue after the gap, or start again without this state", false, null);
    LOG.warn("Kinesis stream '{}': {}; it continues with the oldest record that is kept", settings.stream, why);
    after = null;
    from = Start.OLDEST;
    readToMs = 0;
    iterator = null;
    expects = null;
    return false;
  }

  private void failed(ReadFault fault) throws InterruptedException {
    switch (fault.kind) {
      case THROTTLED:
        notBeforeMs = nowMs() + backoffMs(throttles++);
        return;
      case EXPIRED:
        iterator = null;
        expects = null;
        return;
      case LOST:
        iterator = null;
        expects = null;
        lost(fault.why);
        return;
      default:
        later(fault.failure);
    }
  }

  /** Of a position at which there is nothing: the stream or the shard may not be there either. */
  private void lost(String why) throws InterruptedException {
    boolean isListed;
    try {
      isListed = api.shards().stream().anyMatch(one -> one.shardId().equals(shard));
    } catch (SdkException thrown) {
      ReadFault fault = ReadFault.of(thrown, settings.stream, "kinesis:ListShards", false);
      later(fault.kind == ReadFault.Kind.ERROR ? fault.failure : unreachable("listing its shards is throttled"));
      return;
    }
    if (isListed && after != null) trimmed();
    else if (isListed) later(unreachable(why));
    else gone();
  }

  private void gone() throws InterruptedException {
    String why = "it no longer has the shard " + shard + ", which was not read to its end";
    if (!settings.skipsTrimmed)
      throw new StreamFailure("split-gone", settings.stream, why + "; set \"whenTrimmed\": \"oldest\" to continue without it", false, null);
    LOG.warn("Kinesis stream '{}': {}; it continues without it", settings.stream, why);
    ended = true;
    buffer.put(Item.readTo(shard, readToMs, true, 0));
  }

  private StreamFailure unreachable(String why) {
    return new StreamFailure("stream-unreachable", settings.stream, "shard " + shard + ": " + why, true, null);
  }

  private void later(StreamFailure failure) {
    if (!failure.retryable || ++failures > FAILURES_MAX) throw failure;
    LOG.warn("{}: tried again", failure.getMessage());
    notBeforeMs = nowMs() + backoffMs(failures);
  }

  private static long backoffMs(int attempt) {
    long most = Math.min(BACKOFF_MOST_MS, BACKOFF_LEAST_MS << Math.min(attempt, 10));
    return BACKOFF_LEAST_MS + ThreadLocalRandom.current().nextLong(most + 1);
  }

  /** Hands it over, record by record. */
  private void take(GetRecordsResponse got, long behindMs, long startedAtMs) throws InterruptedException {
    long gotToMs = System.currentTimeMillis() - behindMs;
    for (Record record : got.records()) {
      String position = record.sequenceNumber();
      boolean isKnown = position.equals(expects);
      if (!isKnown) buffer.put(Item.record(shard, position, elems(record), arrivedAtMs(record)));
      expects = null;
      after = position;
    }
    if (expects == null) readToMs = gotToMs;
    ended = got.nextShardIterator() == null;
    boolean isHeard = behindMs == 0 && !ended && expects == null && startedAtMs - heardAtMs >= HEARD_EVERY_MS;
    if (isHeard) heardAtMs = startedAtMs;
    buffer.put(Item.readTo(shard, readToMs, ended, isHeard ? startedAtMs : 0));
  }

  private static long arrivedAtMs(Record record) {
    return record.approximateArrivalTimestamp() == null ? 0 : record.approximateArrivalTimestamp().toEpochMilli();
  }

  private List<Elem> elems(Record record) throws InterruptedException {
    byte[] value = record.data().asByteArrayUnsafe();
    List<Unfold.Part> parts = Unfold.parts(value);
    List<RawRecord> raws = new ArrayList<>();
    if (parts == null) raws.add(raw(record, record.partitionKey(), value, -1));
    else for (int n = 0; n < parts.size(); n++) raws.add(raw(record, parts.get(n).key, parts.get(n).value, n));
    resolve(raws);
    List<Elem> elems = new ArrayList<>(raws.size());
    for (RawRecord raw : raws) elems.add(raw.elem());
    return elems;
  }

  /** A store of claims that cannot be asked is asked again. */
  private void resolve(List<RawRecord> parts) throws InterruptedException {
    for (int attempt = 1; ; attempt++) {
      try {
        claims.resolve(parts);
        return;
      } catch (IOException | SdkException thrown) {
        if (thrown instanceof AbortedException || Thread.currentThread().isInterrupted()) throw new InterruptedException();
        StreamFailure failure =
            new StreamFailure("stream-unreachable", settings.stream, "shard " + shard + ": its claims cannot be fetched: " + thrown.getMessage(), true, thrown);
        if (attempt == FAILURES_MAX) throw failure;
        LOG.warn("{}: tried again", failure.getMessage());
        Thread.sleep(backoffMs(attempt));
      }
    }
  }

  private RawRecord raw(Record record, String key, byte[] value, int part) {
    RawRecord raw = new RawRecord("kinesis", shard, record.sequenceNumber(), arrivedAtMs(record), value);
    raw.key = key;
    raw.part = part;
    return raw;
  }
}
