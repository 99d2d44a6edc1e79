package sluice.flink;

/** What a script threw, or what ended it. */
final class ScriptException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** Whether it was interrupted: its engine goes on. */
  final boolean isInterrupted;
  /** Whether its engine was closed. */
  final boolean isEnded;

  ScriptException(Exception cause, boolean isInterrupted, boolean isEnded) {
    super(cause.getMessage(), cause);
    this.isInterrupted = isInterrupted;
    this.isEnded = isEnded;
  }
}
