package sluice.flink;

import java.nio.file.Files;
import java.nio.file.Path;

/** Prints what a script gives in an engine of the Flink job. {@code args}: the engine, the file. */
public final class Probe {
  public static void main(String[] args) throws Exception {
    try (ScriptEngine scripts = ScriptEngine.open(args[0])) {
      String script = Files.readString(Path.of(args[1]));
      // Every number of Java is one there, a time in ms among them.
      String probe = "({ probe: (...given) => given.every((n) => typeof n === 'number') ? " + script + " : 'no number: ' + given.map((n) => typeof n) })";
      System.out.println(scripts.object(probe).text("probe", 1, 1L << 41, 0.5));
    }
  }
}
