package sluice.flink;

import java.time.ZoneId;
import java.util.HashMap;
import java.util.Map;
import org.graalvm.polyglot.Context;
import org.graalvm.polyglot.Engine;
import org.graalvm.polyglot.HostAccess;
import org.graalvm.polyglot.PolyglotException;
import org.graalvm.polyglot.Source;
import org.graalvm.polyglot.Value;
import org.graalvm.polyglot.proxy.ProxyExecutable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The functions of a topology on GraalJS: one context a task thread and program, shared by the
 * operators chained in it; one engine a class loader, so that code is parsed once.
 *
 * <p>Contexts are single-threaded. Operators, timers and sources of a task all run on its thread, so
 * nothing is locked. Scripts see nothing of the host: no classes, no files, no threads. A function
 * that does not return is interrupted ({@link CallWatch}); what it was given is rejected.
 */
public final class Functions implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Functions.class);
  /** Runs in a row that are interrupted without a call of a function that is refused from then on. */
  private static final int UNKNOWN_MAX = 3;
  private static final ThreadLocal<Map<Program, Functions>> HERE =
      ThreadLocal.withInitial(HashMap::new);
  private static Engine engine;
  private static int contexts;

  private final Program program;
  private final Context context;
  private final Value runtime;
  private final CallWatch watch;
  private int users;

  private Functions(Program program) {
    this.program = program;
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    // Languages are found through it.
    thread.setContextClassLoader(Functions.class.getClassLoader());
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
      Value bundle = evaluate();
      runtime =
          program.given == null
              ? bundle.getMember("open").execute(program.freezes)
              : bundle.getMember("openWith").execute(json(program.given), program.freezes);
      watch = new CallWatch(context, program.functionMaxMs);
      runtime.invokeMember("watch", (ProxyExecutable) given -> watch.beginFunction(), (ProxyExecutable) given -> watch.endFunction());
      for (Map.Entry<String, String> table : program.tables.entrySet())
        runtime.invokeMember("setTable", table.getKey(), table.getValue());
      for (Map.Entry<String, String> sink : program.sinkForms.entrySet())
        runtime.invokeMember("setSinkForm", sink.getKey(), sink.getValue());
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  private Value evaluate() {
    // What an engine has beside the language is not a part of it.
    context.eval("js", "for (const name of ['print', 'printErr', 'load', 'loadWithNewGlobal', 'quit', 'exit']) delete globalThis[name];");
    context.eval(source(program.bundle, "bundle.js"));
    Value bundle = context.eval("js", "__sluice");
    Value plan =
        program.given == null
            ? bundle.getMember("plan")
            : bundle.getMember("planWith").execute(json(program.given));
    if (!plan.asString().equals(program.plan))
      throw new IllegalArgumentException(
          "the bundle makes another plan than the one that the job was given: build both together with `sluice flink build`");
    return bundle;
  }

  private Value json(String text) {
    return context.eval("js", "JSON.parse").execute(text);
  }

  private static Source source(String text, String name) {
    return Source.newBuilder("js", text, name).cached(true).buildLiteral();
  }

  private static synchronized Engine sharedEngine() {
    if (engine == null)
      engine = Engine.newBuilder().option("engine.WarnInterpreterOnly", "false").build();
    contexts++;
    return engine;
  }

  /** Those of this thread; given back with {@link #close}. */
  public static Functions acquire(Program program) {
    Functions here = HERE.get().computeIfAbsent(program, Functions::new);
    here.users++;
    return here;
  }

  /** What the runtime has for an operator: `segment`, `window`, `join`, `process`, `table`, `graphWrites`, ... */
  public Value of(String kind, Object... arguments) {
    return runtime.invokeMember(kind, arguments);
  }

  /**
   * Calls a member of what the runtime gave. It is called again when a function did not return in
   * it: at first to find that function, then without its call.
   */
  public String call(Value of, String member, Object... arguments) {
    for (int unknown = 0; ; ) {
      watch.begin();
      String given = null;
      PolyglotException thrown = null;
      try {
        given = of.invokeMember(member, arguments).asString();
      } catch (PolyglotException one) {
        thrown = one;
      }
      boolean isInterrupted = watch.end() || (thrown != null && (thrown.isInterrupted() || thrown.isCancelled()));
      if (!isInterrupted && thrown == null) return given;
      if (!isInterrupted) throw thrown;
      if (Thread.currentThread().isInterrupted()) throw new IllegalStateException("the task was canceled while a function ran", thrown);
      String refused = thrown != null && thrown.isCancelled() ? null : stopped(of);
      if (refused == null || (refused.isEmpty() && unknown++ == UNKNOWN_MAX)) throw stuck(member, thrown);
      if (refused.isEmpty()) continue;
      unknown = 0;
      LOG.warn("the function {} did not return within {} ms, twice: what it was given is rejected", refused, program.functionMaxMs);
    }
  }

  private String stopped(Value of) {
    String refused = runtime.invokeMember("stopped", watch.wasInFunction()).asString();
    if (of.canInvokeMember("undo")) of.invokeMember("undo");
    return refused;
  }

  private IllegalStateException stuck(String member, PolyglotException thrown) {
    return new IllegalStateException(
        "function-stuck: a function of the topology did not return within " + program.functionMaxMs + " ms, in '" + member
            + "', and no element can be rejected for it: it catches every error, is given another element each time, or too many did not return",
        thrown);
  }

  @Override
  public void close() {
    if (--users > 0) return;
    HERE.get().remove(program);
    watch.close();
    context.close(true);
    synchronized (Functions.class) {
      if (--contexts > 0) return;
      // The class loader of a job that ended is let go.
      engine.close();
      engine = null;
    }
  }
}
