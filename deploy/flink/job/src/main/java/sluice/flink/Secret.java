package sluice.flink;

import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A secret that settings name and do not have: an environment variable (`passwordEnv`) or a file
 * (`passwordFile`), both where the job's tasks run.
 */
public final class Secret implements Serializable {
  private static final long serialVersionUID = 1;
  private final String where;
  private final String variable;
  private final String file;

  private Secret(String where, String variable, String file) {
    this.where = where;
    this.variable = variable;
    this.file = file;
  }

  /** `name`: of the settings without their ends, such as `password`. */
  public static Secret of(Place place, String name) {
    String variable = place.text(name + "Env", null);
    String file = place.text(name + "File", null);
    if ((variable == null) == (file == null))
      throw new IllegalArgumentException(
          "settings." + place.where + ": expected either " + name + "Env, a variable's name, or " + name + "File, a file's path");
    return new Secret(place.where + "." + name, variable, file);
  }

  /** What it is. No message has it. */
  public String read() throws IOException {
    if (variable != null) {
      String found = System.getenv(variable);
      if (found != null && !found.isEmpty()) return found;
      throw new IOException("settings." + where + "Env: the variable " + variable + " is not set where this task runs; set it for all task managers");
    }
    try {
      return Files.readString(Path.of(file)).stripTrailing();
    } catch (IOException cause) {
      throw new IOException("settings." + where + "File: " + file + " cannot be read where this task runs: " + cause.getMessage(), cause);
    }
  }
}
