package sluice.flink;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/** The version of Flink that this job was compiled for; it is in the jar as `sluice/flink-version`. */
final class BuiltFor {
  private BuiltFor() {}

  /**
   * Throws where {@code running}, the version that is there, has another major number: an interface of a
   * sink would differ, and the job would end where the first one is opened. One that is not known passes.
   */
  static void require(String running) throws IOException {
    String built = version();
    if (!Character.isDigit(running.charAt(0)) || major(built).equals(major(running))) return;
    throw new IllegalStateException(
        "this jar was built for Flink " + built + ", and here is Flink " + running + ": run it on Flink " + line(built)
            + ", or build one for here: sluice flink build TOPOLOGY --flink-version " + line(running) + " --into JAR");
  }

  private static String version() throws IOException {
    try (InputStream in = BuiltFor.class.getResourceAsStream("/sluice/flink-version")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8).trim();
    }
  }

  private static String major(String version) {
    return version.split("\\.")[0];
  }

  /** What `--flink-version` knows of it (deploy/flink/jar.ts). */
  private static String line(String version) {
    return major(version).equals("1") ? "1.20" : "2.2";
  }
}
