package sluice.flink;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * A job on a cluster inside this process until it is told to stop, for tests: a folder in a line of
 * standard input stops it with a savepoint, whose path is printed.
 */
final class LocalRun {
  private LocalRun() {}

  /** {@code savepoint}: from which it starts; null: from nothing. */
  static StreamExecutionEnvironment environment(int parallelism, String checkpointInterval, String savepoint) {
    Configuration configuration = new Configuration();
    configuration.setString("pipeline.generic-types", "false");
    configuration.setString("rest.bind-address", "127.0.0.1");
    configuration.setString("restart-strategy.type", "none");
    configuration.setString("execution.checkpointing.interval", checkpointInterval);
    if (savepoint != null) configuration.setString("execution.savepoint.path", savepoint);
    return StreamExecutionEnvironment.createLocalEnvironment(parallelism, configuration);
  }

  /** Ends this process with it. */
  static void untilTold(JobClient job) throws Exception {
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
