package sluice.flink;

import java.time.Duration;
import java.time.ZoneId;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.graalvm.polyglot.Context;
import org.graalvm.polyglot.Engine;
import org.graalvm.polyglot.HostAccess;
import org.graalvm.polyglot.PolyglotException;
import org.graalvm.polyglot.Source;
import org.graalvm.polyglot.Value;
import org.graalvm.polyglot.proxy.ProxyExecutable;

/** GraalJS: pure Java. One engine a class loader, so that code is parsed once. */
final class GraalScripts implements ScriptEngine {
  /** How long an interrupt may take to arrive. */
  private static final Duration ARRIVES_MAX = Duration.ofSeconds(2);
  private static Engine engine;
  private static int contexts;

  private final Context context;

  GraalScripts() {
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    // Languages are found through it.
    thread.setContextClassLoader(GraalScripts.class.getClassLoader());
    try {
      context =
          Context.newBuilder("js")
              .engine(sharedEngine())
              .allowHostAccess(HostAccess.NONE)
              .allowExperimentalOptions(true)
              .option("js.ecmascript-version", "2022")
              .option("js.console", "false")
              .timeZone(ZoneId.of("UTC"))
              .build();
      // What an engine has beside the language is not a part of it.
      context.eval("js", "for (const name of ['print', 'printErr', 'load', 'loadWithNewGlobal', 'quit', 'exit']) delete globalThis[name];");
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  private static synchronized Engine sharedEngine() {
    if (engine == null)
      engine = Engine.newBuilder().option("engine.WarnInterpreterOnly", "false").build();
    contexts++;
    return engine;
  }

  @Override
  public void run(String script, String name) {
    thrown(() -> context.eval(Source.newBuilder("js", script, name).cached(true).buildLiteral()));
  }

  @Override
  public Scripted object(String expression) {
    return new Held(thrown(() -> context.eval("js", expression)));
  }

  @Override
  public void call(Scripted of, String member, BooleanSupplier first, BooleanSupplier second) {
    of.run(member, (ProxyExecutable) given -> first.getAsBoolean(), (ProxyExecutable) given -> second.getAsBoolean());
  }

  @Override
  public void interrupt() throws TimeoutException {
    context.interrupt(ARRIVES_MAX);
  }

  @Override
  public void forgetInterrupt() {
    // One that has not arrived is taken back by the engine.
  }

  @Override
  public void end() {
    context.close(true);
  }

  @Override
  public void close() {
    context.close(true);
    synchronized (GraalScripts.class) {
      if (--contexts > 0) return;
      // The class loader of a job that ended is let go.
      engine.close();
      engine = null;
    }
  }

  private static <T> T thrown(Supplier<T> work) {
    try {
      return work.get();
    } catch (PolyglotException one) {
      throw new ScriptException(one, one.isInterrupted(), one.isCancelled());
    }
  }

  private static final class Held implements Scripted {
    private final Value value;

    Held(Value value) {
      this.value = value;
    }

    private Value call(String member, Object... arguments) {
      return thrown(() -> value.invokeMember(member, arguments));
    }

    @Override
    public String text(String member, Object... arguments) {
      return call(member, arguments).asString();
    }

    @Override
    public boolean is(String member, Object... arguments) {
      return call(member, arguments).asBoolean();
    }

    @Override
    public void run(String member, Object... arguments) {
      call(member, arguments);
    }

    @Override
    public Scripted object(String member, Object... arguments) {
      return new Held(call(member, arguments));
    }

    @Override
    public boolean has(String member) {
      return value.canInvokeMember(member);
    }
  }
}
