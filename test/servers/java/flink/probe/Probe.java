import java.nio.file.Files;
import java.nio.file.Path;
import org.graalvm.polyglot.Context;

/** Prints what a script gives in the engine of the Flink job. `args`: its file. */
public final class Probe {
  public static void main(String[] args) throws Exception {
    System.setProperty("polyglot.engine.WarnInterpreterOnly", "false");
    try (Context context = Context.create("js")) {
      System.out.println(context.eval("js", Files.readString(Path.of(args[0]))).asString());
    }
  }
}
