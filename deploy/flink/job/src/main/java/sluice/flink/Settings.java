package sluice.flink;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;

/**
 * What the job is given: plan, bundle and settings, each as a file (`--plan FILE`), as base64
 * (`--plan64 TEXT`), or else as a resource of the jar (`/sluice/plan.json`).
 */
final class Settings {
  private final Map<String, String> options = new HashMap<>();

  Settings(String[] arguments) {
    if (arguments.length % 2 != 0) throw usage("an option without a value");
    for (int i = 0; i < arguments.length; i += 2) {
      if (!arguments[i].startsWith("--")) throw usage("'" + arguments[i] + "' is not an option");
      options.put(arguments[i].substring(2), arguments[i + 1]);
    }
    for (String name : options.keySet())
      if (!name.matches("(plan|bundle|settings)(64)?")) throw usage("unknown option --" + name);
  }

  private static IllegalArgumentException usage(String wrong) {
    return new IllegalArgumentException(wrong + "; expected --plan FILE --bundle FILE --settings FILE, or --plan64 ... with base64");
  }

  /** Of `plan`, `bundle` or `settings`. */
  String text(String name, String resource) throws IOException {
    if (options.containsKey(name)) return Files.readString(Path.of(options.get(name)));
    String coded = options.get(name + "64");
    if (coded != null) return new String(Base64.getDecoder().decode(coded), StandardCharsets.UTF_8);
    try (InputStream in = Settings.class.getResourceAsStream(resource)) {
      if (in == null) throw usage("there is neither --" + name + " nor " + resource + " in the jar");
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
