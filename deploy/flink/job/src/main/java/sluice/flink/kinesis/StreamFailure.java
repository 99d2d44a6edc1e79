package sluice.flink.kinesis;

import org.apache.flink.util.FlinkRuntimeException;

/** Why a stream cannot be read, with the codes of schemas/kernel/error-codes.ts. */
final class StreamFailure extends FlinkRuntimeException {
  private static final long serialVersionUID = 1;
  /** Whether it may be over when it is tried again. */
  final boolean retryable;

  StreamFailure(String code, String stream, String why, boolean retryable, Throwable cause) {
    super(code + ": Kinesis stream '" + stream + "': " + why, cause);
    this.retryable = retryable;
  }
}
