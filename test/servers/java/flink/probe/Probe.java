package sluice.flink;

import java.nio.file.Files;
import java.nio.file.Path;

/** Prints what a script gives in an engine of the Flink job. {@code args}: the engine, the file. */
public final class Probe {
  public static void main(String[] args) throws Exception {
    try (ScriptEngine scripts = ScriptEngine.open(args[0])) {
      String script = Files.readString(Path.of(args[1]));
      System.out.println(scripts.object("({ probe: () => " + script + " })").text("probe"));
    }
  }
}
