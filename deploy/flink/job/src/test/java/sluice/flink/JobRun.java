package sluice.flink;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Runs a topology as a {@link LocalRun}. */
public final class JobRun {
  private static final int BATCH_ROWS = 32;

  private JobRun() {}

  /** The folder of plan.json and bundle.js, the settings, parallelism, and a savepoint or nothing. */
  public static void main(String[] arguments) throws Exception {
    ObjectMapper mapper = new ObjectMapper();
    String plan = Files.readString(Path.of(arguments[0], "plan.json"));
    String bundle = Files.readString(Path.of(arguments[0], "bundle.js"));
    JsonNode settings = mapper.readTree(arguments[1]);
    JsonNode tree = mapper.readTree(plan);
    StreamExecutionEnvironment env =
        LocalRun.environment(Integer.parseInt(arguments[2]), "300 ms", arguments.length > 3 ? arguments[3] : null);
    env.getConfig().enableObjectReuse();
    Program program = new Program(bundle, plan, "shared", null, Map.of(), Connectors.sinkForms(tree, settings), 10_000, System.getProperty("sluice.engine", "graaljs"));
    new JobGraph(env, program, new Connectors(tree, settings, program), BATCH_ROWS, settings.path("watermarkIntervalMs").asLong()).build(tree);
    LocalRun.untilTold(env.executeAsync(tree.get("name").asText()));
  }
}
