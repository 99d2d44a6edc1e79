package sluice.flink;

/**
 * An object of a script, whose members are called with text, numbers and booleans. What a member
 * throws is a {@link ScriptException}.
 */
public interface Scripted {
  /** The text that the member gives. */
  String text(String member, Object... arguments);

  /** The truth that the member gives. */
  boolean is(String member, Object... arguments);

  void run(String member, Object... arguments);

  /** The object that the member gives. */
  Scripted object(String member, Object... arguments);

  boolean has(String member);
}
