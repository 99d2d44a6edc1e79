package sluice.flink;

import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;

/**
 * An engine of JavaScript with globals of its own, for one thread. Scripts see the language alone: no
 * classes of Java, no files, no threads, no timers.
 */
interface ScriptEngine extends AutoCloseable {
  /** {@code name}: one of those of the setting {@code engine}. */
  static ScriptEngine open(String name) {
    switch (name) {
      case "graaljs":
        try {
          return new GraalScripts();
        } catch (NoClassDefFoundError thrown) {
          throw new IllegalStateException(
              "the jar has no GraalJS: it was built for \"engine\": \"v8\", which the settings do not name; build it again with these settings", thrown);
        }
      case "v8":
        return new V8Scripts();
      default:
        throw new IllegalArgumentException("engine: expected graaljs or v8, got " + name);
    }
  }

  /** Runs a script. {@code name} is in its stack traces. */
  void run(String script, String name);

  /** The object that an expression gives. */
  Scripted object(String expression);

  /** Calls a member with two functions of the host, which give a truth. */
  void call(Scripted of, String member, BooleanSupplier first, BooleanSupplier second);

  /** From another thread: what runs throws. */
  void interrupt() throws TimeoutException;

  /** After an interrupt that came when nothing ran any more: it stops nothing else. */
  void forgetInterrupt();

  /** From another thread, while what runs does not end of an interrupt. */
  void end();

  @Override
  void close();
}
