package sluice.flink;

import java.util.HashMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The functions of a topology on an engine of JavaScript: one a task thread and program, shared by the
 * operators chained in it.
 *
 * <p>Engines are single-threaded. Operators, timers and sources of a task all run on its thread, so
 * nothing is locked. A function that does not return is interrupted ({@link CallWatch}); what it was
 * given is rejected.
 */
public final class Functions implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Functions.class);
  /** Runs in a row that are interrupted without a call of a function that is refused from then on. */
  private static final int UNKNOWN_MAX = 3;
  private static final ThreadLocal<Map<Program, Functions>> HERE =
      ThreadLocal.withInitial(HashMap::new);
  /** How the bundle is opened: with what a topology is made with, as JSON, or null. */
  private static final String OPENER =
      "({"
          + "plan: (given) => given === null ? __sluice.plan : __sluice.planWith(JSON.parse(given)),"
          + "open: (given, freezes) => given === null ? __sluice.open(freezes) : __sluice.openWith(JSON.parse(given), freezes),"
          + "})";

  private final Program program;
  private final ScriptEngine scripts;
  private final Scripted runtime;
  private final CallWatch watch;
  private int users;

  private Functions(Program program) {
    this.program = program;
    scripts = ScriptEngine.open(program.engine);
    scripts.run(program.bundle, "bundle.js");
    Scripted opener = scripts.object(OPENER);
    if (!opener.text("plan", program.given).equals(program.plan))
      throw new IllegalArgumentException(
          "the bundle makes another plan than the one that the job was given: build both together with `sluice flink build`");
    runtime = opener.object("open", program.given, program.freezes);
    watch = new CallWatch(scripts, program.functionMaxMs);
    scripts.call(runtime, "watch", watch::beginFunction, watch::endFunction);
    for (Map.Entry<String, String> table : program.tables.entrySet())
      runtime.run("setTable", table.getKey(), table.getValue());
    for (Map.Entry<String, String> sink : program.sinkForms.entrySet())
      runtime.run("setSinkForm", sink.getKey(), sink.getValue());
  }

  /** Those of this thread; given back with {@link #close}. */
  public static Functions acquire(Program program) {
    Functions here = HERE.get().computeIfAbsent(program, Functions::new);
    here.users++;
    return here;
  }

  /** What the runtime has for an operator: `segment`, `window`, `join`, `process`, `table`, `graphWrites`, ... */
  public Scripted of(String kind, Object... arguments) {
    return runtime.object(kind, arguments);
  }

  /**
   * Calls a member of what the runtime gave. It is called again when a function did not return in
   * it: at first to find that function, then without its call.
   */
  public String call(Scripted of, String member, Object... arguments) {
    for (int unknown = 0; ; ) {
      watch.begin();
      String given = null;
      ScriptException thrown = null;
      try {
        given = of.text(member, arguments);
      } catch (ScriptException one) {
        thrown = one;
      }
      boolean isFired = watch.end();
      if (isFired) scripts.forgetInterrupt();
      boolean isInterrupted = isFired || (thrown != null && (thrown.isInterrupted || thrown.isEnded));
      if (!isInterrupted && thrown == null) return given;
      if (!isInterrupted) throw thrown;
      if (Thread.currentThread().isInterrupted()) throw new IllegalStateException("the task was canceled while a function ran", thrown);
      String refused = thrown != null && thrown.isEnded ? null : stopped(of);
      if (refused == null || (refused.isEmpty() && unknown++ == UNKNOWN_MAX)) throw stuck(member, thrown);
      if (refused.isEmpty()) continue;
      unknown = 0;
      LOG.warn("the function {} did not return within {} ms, twice: what it was given is rejected", refused, program.functionMaxMs);
    }
  }

  private String stopped(Scripted of) {
    String refused = runtime.text("stopped", watch.wasInFunction());
    if (of.has("undo")) of.run("undo");
    return refused;
  }

  private IllegalStateException stuck(String member, ScriptException thrown) {
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
    scripts.close();
  }
}
