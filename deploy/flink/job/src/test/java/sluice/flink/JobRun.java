package sluice.flink;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Runs a topology on a cluster inside this process until it is told to stop, for a test: a folder in
 * a line of standard input stops it with a savepoint, whose path is printed.
 */
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
    Configuration configuration = new Configuration();
    configuration.setString("pipeline.generic-types", "false");
    configuration.setString("rest.bind-address", "127.0.0.1");
    configuration.setString("restart-strategy.type", "none");
    configuration.setString("execution.checkpointing.interval", "300 ms");
    if (arguments.length > 3) configuration.setString("execution.savepoint.path", arguments[3]);
    StreamExecutionEnvironment env =
        StreamExecutionEnvironment.createLocalEnvironment(Integer.parseInt(arguments[2]), configuration);
    env.getConfig().enableObjectReuse();
    Program program = new Program(bundle, plan, "shared", null, Map.of(), Connectors.sinkForms(tree, settings), 10_000);
    new JobGraph(env, program, new Connectors(tree, settings, program), BATCH_ROWS, settings.path("watermarkIntervalMs").asLong()).build(tree);
    JobClient job = env.executeAsync(tree.get("name").asText());
    Thread told = new Thread(() -> stopWhenTold(job));
    told.setDaemon(true);
    told.start();
    job.getJobExecutionResult().get();
    told.join();
    System.exit(0);
  }

  private static void stopWhenTold(JobClient job) {
    try {
      BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      String folder = commands.readLine();
      if (folder == null) System.exit(1);
      System.out.println(job.stopWithSavepoint(false, folder, SavepointFormatType.CANONICAL).get());
    } catch (Exception thrown) {
      thrown.printStackTrace();
      System.exit(1);
    }
  }
}
