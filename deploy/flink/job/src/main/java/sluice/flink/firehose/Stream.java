package sluice.flink.firehose;

import java.io.IOException;
import java.io.Serializable;
import java.net.URI;
import java.time.Duration;
import sluice.flink.Place;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.firehose.FirehoseClient;
import software.amazon.awssdk.services.firehose.FirehoseClientBuilder;
import software.amazon.awssdk.services.firehose.model.DescribeDeliveryStreamRequest;

/** A delivery stream, and how it is reached: as deploy/streams/firehose/ reaches it. */
final class Stream implements Serializable {
  private static final long serialVersionUID = 1;
  /** Silence of one call, all of it, and connecting. */
  private static final Duration SILENCE_MAX = Duration.ofSeconds(30);
  private static final Duration CALL_MAX = Duration.ofSeconds(60);
  private static final Duration CONNECT_MAX = Duration.ofSeconds(5);
  private static final int ROWS_MAX = 500;

  final String name;
  private final String region;
  private final String endpoint;
  /**
   * Rows of one record. To Iceberg one is one:
   * https://docs.aws.amazon.com/firehose/latest/dev/apache-iceberg-format-input-record.html
   */
  final int rowsPerRecord;

  Stream(Place place) {
    name = place.text("deliveryStream");
    region = place.text("region", null);
    endpoint = place.text("endpoint", null);
    rowsPerRecord = place.text("format", "parquet").equals("iceberg") ? 1 : ROWS_MAX;
  }

  /** Each call is one request: what a lost answer means is for the caller to decide. */
  FirehoseClient connect() throws IOException {
    FirehoseClientBuilder client =
        FirehoseClient.builder()
            .httpClientBuilder(UrlConnectionHttpClient.builder().connectionTimeout(CONNECT_MAX).socketTimeout(SILENCE_MAX))
            .overrideConfiguration(each -> each.apiCallTimeout(CALL_MAX).retryStrategy(AwsRetryStrategy.doNotRetry()));
    if (region != null) client.region(Region.of(region));
    if (endpoint != null) client.endpointOverride(URI.create(endpoint));
    FirehoseClient made = client.build();
    try {
      made.describeDeliveryStream(DescribeDeliveryStreamRequest.builder().deliveryStreamName(name).build());
    } catch (SdkException cause) {
      made.close();
      throw fault("DescribeDeliveryStream", codeOf(cause), cause);
    }
    return made;
  }

  static String codeOf(SdkException cause) {
    if (!(cause instanceof AwsServiceException)) return cause.getClass().getSimpleName();
    AwsServiceException said = (AwsServiceException) cause;
    return said.awsErrorDetails() == null ? "HTTP " + said.statusCode() : String.valueOf(said.awsErrorDetails().errorCode());
  }

  /** No message has the service's own text: it names accounts. */
  IOException fault(String call, String code, Exception cause) {
    if (code.equals("ResourceNotFoundException"))
      return new IOException("delivery-stream-missing: no Firehose delivery stream '" + name + "' found; create it, or correct its name and the region");
    return new IOException(
        "firehose-failed: " + call + " to the delivery stream '" + name + "' failed (" + code + "); check the role's right to firehose:" + call + ", the endpoint and the quotas of the stream",
        cause);
  }
}
