package sluice.flink;

import java.io.Serializable;
import java.util.Map;
import java.util.Objects;

/** What a job runs, as it travels to its tasks: the bundle, and how its functions are opened. */
public final class Program implements Serializable {
  private static final long serialVersionUID = 1;

  /** The script that leaves the global `__sluice`. */
  final String bundle;
  /** The text of plan.json; the bundle has to make the same. */
  final String plan;
  /** 'shared' as in production, or 'all' as in tests: which values are frozen. */
  final String freezes;
  /** What the bundle's topology is made with, as JSON; null where it is one topology. */
  final String given;
  /** By node: the rows of the table that it looks up in, as a JSON array. */
  final Map<String, String> tables;
  /** By sink: how its rows are sent, where that is not as JSON. */
  final Map<String, String> sinkForms;
  /** How long one call of a function may take. */
  final long functionMaxMs;
  /** What its functions run on ({@link ScriptEngine#open}). */
  final String engine;
  private transient int hash;

  Program(
      String bundle,
      String plan,
      String freezes,
      String given,
      Map<String, String> tables,
      Map<String, String> sinkForms,
      long functionMaxMs,
      String engine) {
    this.bundle = bundle;
    this.plan = plan;
    this.freezes = freezes;
    this.given = given;
    this.tables = tables;
    this.sinkForms = sinkForms;
    this.functionMaxMs = functionMaxMs;
    this.engine = engine;
  }

  /** Operators of one task have copies of it, and share what is made of it. */
  @Override
  public boolean equals(Object other) {
    if (this == other) return true;
    if (!(other instanceof Program)) return false;
    Program that = (Program) other;
    return plan.equals(that.plan)
        && freezes.equals(that.freezes)
        && Objects.equals(given, that.given)
        && bundle.equals(that.bundle)
        && tables.equals(that.tables)
        && sinkForms.equals(that.sinkForms)
        && engine.equals(that.engine);
  }

  @Override
  public int hashCode() {
    if (hash == 0) hash = Objects.hash(plan, freezes, given, bundle);
    return hash;
  }
}
