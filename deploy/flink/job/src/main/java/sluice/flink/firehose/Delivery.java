package sluice.flink.firehose;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.services.firehose.FirehoseClient;
import software.amazon.awssdk.services.firehose.model.PutRecordBatchRequest;
import software.amazon.awssdk.services.firehose.model.PutRecordBatchResponseEntry;
import software.amazon.awssdk.services.firehose.model.Record;

/**
 * Brings the records of one call to a delivery stream, as enrich/firehose/deliver-call.ts does it:
 * what was not taken is put again until all of it was.
 *
 * <p>1. Throttling is not a failure: all calls become slower, for as long as the sink is open. 2.
 * Tries that fail otherwise are bounded, counted in a row; one that something was taken of begins the
 * count again. 3. What says nothing certain is put again: it may be there twice, under one row_id.
 */
final class Delivery {
  private static final int ATTEMPTS_MAX = 10;
  private static final long RETRY_BASE_MS = 100;
  private static final long RETRY_MAX_MS = 5_000;
  /** Between two calls while the stream throttles: the first pause, the longest, and how it eases. */
  private static final long PACE_BASE_MS = 50;
  private static final long PACE_MAX_MS = 5_000;
  private static final double EASING = 0.8;
  private static final Set<String> THROTTLING =
      Set.of(
          "ServiceUnavailableException", "ServiceUnavailable", "SlowDown", "Throttling", "ThrottlingException",
          "ThrottledException", "RequestThrottled", "RequestThrottledException", "RequestLimitExceeded",
          "TooManyRequestsException", "LimitExceededException", "ProvisionedThroughputExceededException");
  /** Of credentials that are made anew. */
  private static final Set<String> PASSING = Set.of("ExpiredToken", "ExpiredTokenException", "RequestExpired");

  private final Stream stream;
  private final FirehoseClient client;
  private volatile boolean closed;
  private long pauseMs;
  private long nextAtMs;
  private long raisedAtMs = Long.MIN_VALUE / 2;

  Delivery(Stream stream, FirehoseClient client) {
    this.stream = stream;
    this.client = client;
  }

  void close() {
    closed = true;
  }

  void deliver(List<byte[]> records) throws IOException, InterruptedException {
    List<byte[]> left = records;
    int failures = 0;
    for (int attempt = 0; ; attempt++) {
      sleep(turnMs());
      Outcome outcome = put(left);
      pace(outcome.throttled);
      if (outcome.again.isEmpty()) return;
      if (outcome.again.size() < left.size()) failures = 0;
      if (!outcome.throttled) failures++;
      if (closed || failures >= ATTEMPTS_MAX) throw stream.fault("PutRecordBatch", outcome.code, outcome.cause);
      left = outcome.again;
      long most = Math.min(RETRY_MAX_MS, RETRY_BASE_MS << Math.min(attempt, 10));
      sleep(ThreadLocalRandom.current().nextLong(most / 2, most + 1));
    }
  }

  private static void sleep(long ms) throws InterruptedException {
    if (ms > 0) TimeUnit.MILLISECONDS.sleep(ms);
  }

  /** What is to be put again, and why. */
  private static final class Outcome {
    final List<byte[]> again;
    final boolean throttled;
    final String code;
    final Exception cause;

    Outcome(List<byte[]> again, boolean throttled, String code, Exception cause) {
      this.again = again;
      this.throttled = throttled;
      this.code = code;
      this.cause = cause;
    }
  }

  private Outcome put(List<byte[]> records) throws IOException {
    List<Record> data = new ArrayList<>();
    for (byte[] record : records) data.add(Record.builder().data(SdkBytes.fromByteArrayUnsafe(record)).build());
    try {
      return answered(
          records,
          client.putRecordBatch(PutRecordBatchRequest.builder().deliveryStreamName(stream.name).records(data).build()).requestResponses());
    } catch (AwsServiceException cause) {
      String code = Stream.codeOf(cause);
      int status = cause.statusCode();
      if (THROTTLING.contains(code) || status == 429) return new Outcome(records, true, code, cause);
      boolean refused = !PASSING.contains(code) && status >= 400 && status < 500 && status != 408;
      if (refused) throw stream.fault("PutRecordBatch", code, cause);
      return new Outcome(records, false, code, cause);
    } catch (SdkException cause) {
      return new Outcome(records, false, Stream.codeOf(cause), cause);
    }
  }

  private static Outcome answered(List<byte[]> records, List<PutRecordBatchResponseEntry> answers) {
    if (answers.size() != records.size()) return new Outcome(records, false, "AnswerIncomplete", null);
    List<byte[]> again = new ArrayList<>();
    boolean throttled = true;
    String code = "";
    for (int i = 0; i < records.size(); i++) {
      String error = answers.get(i).errorCode();
      if (error == null) continue;
      again.add(records.get(i));
      boolean isThrottled = THROTTLING.contains(error);
      if (code.isEmpty() || (throttled && !isThrottled)) code = error;
      throttled &= isThrottled;
    }
    return new Outcome(again, throttled && !again.isEmpty(), code, null);
  }

  private static long nowMs() {
    return TimeUnit.NANOSECONDS.toMillis(System.nanoTime());
  }

  /** How long the next call waits; all calls share one pace. */
  private synchronized long turnMs() {
    if (pauseMs == 0) return 0;
    long now = nowMs();
    long at = Math.max(now, nextAtMs);
    nextAtMs = at + pauseMs;
    return at - now;
  }

  private synchronized void pace(boolean throttled) {
    if (!throttled) {
      pauseMs = (long) (pauseMs * EASING);
      if (pauseMs < PACE_BASE_MS) pauseMs = 0;
      return;
    }
    long now = nowMs();
    // Throttled answers that arrive together count as one.
    if (now - raisedAtMs < pauseMs) return;
    raisedAtMs = now;
    pauseMs = Math.min(PACE_MAX_MS, Math.max(PACE_BASE_MS, pauseMs * 2));
    nextAtMs = Math.max(nextAtMs, now + pauseMs);
  }
}
