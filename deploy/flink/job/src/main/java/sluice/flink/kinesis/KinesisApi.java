package sluice.flink.kinesis;

import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.services.kinesis.KinesisClientBuilder;
import software.amazon.awssdk.services.kinesis.model.DescribeStreamSummaryRequest;
import software.amazon.awssdk.services.kinesis.model.GetRecordsRequest;
import software.amazon.awssdk.services.kinesis.model.GetRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.GetShardIteratorRequest;
import software.amazon.awssdk.services.kinesis.model.ListShardsRequest;
import software.amazon.awssdk.services.kinesis.model.ListShardsResponse;
import software.amazon.awssdk.services.kinesis.model.Shard;
import software.amazon.awssdk.services.kinesis.model.ShardFilterType;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;

/**
 * The calls of a source. One call is one request: what a failure means is for the caller to decide.
 * Credentials are those of the SDK's default chain.
 */
final class KinesisApi implements AutoCloseable {
  private static final Duration CONNECT_MAX = Duration.ofSeconds(3);
  private static final Duration READ_MAX = Duration.ofSeconds(30);
  /** Pages of a list of shards. */
  private static final int SHARD_PAGES_MAX = 100;
  private static final long HOUR_MS = 3_600_000;

  private final KinesisClient client;
  private final String stream;
  private final int readMaxRecords;

  KinesisApi(KinesisSettings settings) {
    stream = settings.stream;
    readMaxRecords = settings.readMaxRecords;
    KinesisClientBuilder builder =
        KinesisClient.builder()
            .httpClientBuilder(UrlConnectionHttpClient.builder().connectionTimeout(CONNECT_MAX).socketTimeout(READ_MAX))
            .overrideConfiguration(change -> change.retryStrategy(AwsRetryStrategy.doNotRetry()));
    if (settings.region != null) builder.region(Region.of(settings.region));
    if (settings.endpoint != null) builder.endpointOverride(URI.create(settings.endpoint));
    client = builder.build();
  }

  /** Open shards, and closed ones that still have records. */
  List<Shard> shards() {
    List<Shard> shards = new ArrayList<>();
    ListShardsRequest request =
        ListShardsRequest.builder().streamName(stream).shardFilter(filter -> filter.type(ShardFilterType.FROM_TRIM_HORIZON)).build();
    for (int page = 0; page < SHARD_PAGES_MAX; page++) {
      ListShardsResponse answer = client.listShards(request);
      shards.addAll(answer.shards());
      String next = answer.nextToken();
      if (next == null) return shards;
      request = ListShardsRequest.builder().nextToken(next).build();
    }
    throw new StreamFailure("stream-unreachable", stream, "the list of its shards does not end", true, null);
  }

  String oldest(String shard) {
    return iterator(shard, ShardIteratorType.TRIM_HORIZON, null, 0);
  }

  String latest(String shard) {
    return iterator(shard, ShardIteratorType.LATEST, null, 0);
  }

  String since(String shard, long atMs) {
    return iterator(shard, ShardIteratorType.AT_TIMESTAMP, null, atMs);
  }

  String after(String shard, String position) {
    return iterator(shard, ShardIteratorType.AFTER_SEQUENCE_NUMBER, position, 0);
  }

  String at(String shard, String position) {
    return iterator(shard, ShardIteratorType.AT_SEQUENCE_NUMBER, position, 0);
  }

  private String iterator(String shard, ShardIteratorType type, String position, long atMs) {
    GetShardIteratorRequest.Builder asked =
        GetShardIteratorRequest.builder().streamName(stream).shardId(shard).shardIteratorType(type).startingSequenceNumber(position);
    if (type == ShardIteratorType.AT_TIMESTAMP) asked.timestamp(Instant.ofEpochMilli(atMs));
    String given = client.getShardIterator(asked.build()).shardIterator();
    if (given == null) throw new StreamFailure("stream-unreachable", stream, "it gave no iterator", true, null);
    return given;
  }

  GetRecordsResponse records(String iterator) {
    return client.getRecords(GetRecordsRequest.builder().shardIterator(iterator).limit(readMaxRecords).build());
  }

  /** For how long records are kept. */
  long retentionMs() {
    DescribeStreamSummaryRequest asked = DescribeStreamSummaryRequest.builder().streamName(stream).build();
    Integer hours = client.describeStreamSummary(asked).streamDescriptionSummary().retentionPeriodHours();
    return hours == null ? Retention.LEAST_MS : hours * HOUR_MS;
  }

  @Override
  public void close() {
    client.close();
  }
}
