package sluice.flink;

import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.util.EnvironmentInformation;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.streaming.api.environment.LocalStreamEnvironment;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** The job: any topology, by its plan and bundle. */
public final class Main {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final int DEFAULT_BATCH_ROWS = 32;
  private static final long DEFAULT_WATERMARK_MS = 200;
  private static final long DEFAULT_FUNCTION_MS = 10_000;

  private Main() {}

  public static void main(String[] arguments) throws Exception {
    BuiltFor.require(EnvironmentInformation.getVersion());
    Settings given = new Settings(arguments);
    String plan = given.text("plan", "/sluice/plan.json");
    String bundle = given.text("bundle", "/sluice/bundle.js");
    JsonNode settings = MAPPER.readTree(given.text("settings", "/sluice/settings.json"));
    JsonNode tree = MAPPER.readTree(plan);
    StreamExecutionEnvironment env = environment(settings);
    Program program =
        new Program(
            bundle,
            plan,
            settings.path("freezes").asText("shared"),
            null,
            tables(tree, settings),
            Connectors.sinkForms(tree, settings),
            settings.path("functionMaxMs").asLong(DEFAULT_FUNCTION_MS),
            settings.path("engine").asText("graaljs"));
    new JobGraph(
            env,
            program,
            new Connectors(tree, settings, program),
            settings.path("batchRows").asInt(DEFAULT_BATCH_ROWS),
            settings.path("watermarkIntervalMs").asLong(DEFAULT_WATERMARK_MS))
        .build(tree);
    env.execute(tree.get("name").asText());
  }

  private static StreamExecutionEnvironment environment(JsonNode settings) {
    Configuration configuration = new Configuration();
    // State that only a generic serializer could keep is an error.
    configuration.setString("pipeline.generic-types", "false");
    // Of the cluster inside of this JVM, where there is no other: nobody else is to reach it.
    for (String address : new String[] {"rest.bind-address", "jobmanager.bind-host", "taskmanager.bind-host"})
      configuration.setString(address, "127.0.0.1");
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment(configuration);
    // A try ends with its error.
    if (env instanceof LocalStreamEnvironment) {
      Configuration local = new Configuration();
      local.setString("restart-strategy.type", "none");
      env.configure(local, Main.class.getClassLoader());
    }
    env.getConfig().enableObjectReuse();
    if (settings.has("parallelism")) env.setParallelism(settings.get("parallelism").asInt());
    long checkpointMs = settings.path("checkpointIntervalMs").asLong(0);
    if (checkpointMs > 0) env.enableCheckpointing(checkpointMs);
    return env;
  }

  /** The rows of look-up tables, by node. */
  private static Map<String, String> tables(JsonNode plan, JsonNode settings) throws Exception {
    Map<String, String> tables = new HashMap<>();
    for (JsonNode operator : plan.get("operators"))
      for (Iterator<JsonNode> needed = operator.path("tables").elements(); needed.hasNext(); ) {
        JsonNode table = needed.next();
        String node = table.get("node").asText();
        JsonNode path = settings.path("tables").path(node);
        if (path.isMissingNode())
          throw new IllegalArgumentException(
              "the look-up '" + node + "' needs the rows of " + table.get("file").asText() + ": name a file under settings.tables." + node);
        tables.put(node, TableFile.rows(path.asText()));
      }
    return tables;
  }
}
