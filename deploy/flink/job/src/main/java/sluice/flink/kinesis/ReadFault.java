package sluice.flink.kinesis;

import java.util.Set;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.exception.SdkException;

/** What a failed call means, as deploy/streams/kinesis/read-fault.ts has it. */
final class ReadFault {
  enum Kind {
    /** The iterator is older than five minutes: another one continues where it was. */
    EXPIRED,
    /** A shard gives no more for the moment. */
    THROTTLED,
    /** There is nothing at that position: it is no longer kept, or the shard, or the stream, is another. */
    LOST,
    ERROR
  }

  /** https://docs.aws.amazon.com/kinesis/latest/APIReference/CommonErrors.html */
  private static final Set<String> THROTTLINGS =
      Set.of(
          "ProvisionedThroughputExceededException",
          "LimitExceededException",
          "KMSThrottlingException",
          "ThrottlingException",
          "Throttling",
          "RequestLimitExceeded");

  private static final Set<String> DENIALS =
      Set.of(
          "AccessDeniedException",
          "KMSAccessDeniedException",
          "UnrecognizedClientException",
          "InvalidSignatureException",
          "ExpiredTokenException",
          "InvalidClientTokenId");

  final Kind kind;
  final String why;
  /** Of ERROR. */
  final StreamFailure failure;

  private ReadFault(Kind kind, String why, StreamFailure failure) {
    this.kind = kind;
    this.why = why;
    this.failure = failure;
  }

  /** {@code action} is the permission that the call needs; {@code position}, whether it named one. */
  static ReadFault of(SdkException thrown, String stream, String action, boolean position) {
    String code = codeOf(thrown);
    String why = String.valueOf(thrown.getMessage());
    if (code.equals("ExpiredIteratorException")) return new ReadFault(Kind.EXPIRED, why, null);
    if (THROTTLINGS.contains(code)) return new ReadFault(Kind.THROTTLED, why, null);
    if (code.equals("ResourceNotFoundException") || code.equals("InvalidArgumentException")) {
      if (position) return new ReadFault(Kind.LOST, why, null);
      return error(new StreamFailure("stream-missing", stream, "it does not exist; create it, or correct `stream` and `region` in the settings", false, thrown));
    }
    if (DENIALS.contains(code) || why.startsWith("Unable to load credentials"))
      return error(new StreamFailure("stream-denied", stream, action + " is not allowed: " + why + "; allow it on the stream", true, thrown));
    return error(new StreamFailure("stream-unreachable", stream, why, true, thrown));
  }

  private static ReadFault error(StreamFailure failure) {
    return new ReadFault(Kind.ERROR, failure.getMessage(), failure);
  }

  private static String codeOf(SdkException thrown) {
    if (!(thrown instanceof AwsServiceException)) return "";
    AwsServiceException answer = (AwsServiceException) thrown;
    String code = answer.awsErrorDetails() == null ? null : answer.awsErrorDetails().errorCode();
    return code == null ? "" : code;
  }
}
