package sluice.flink;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.RichSinkFunction;
import sluice.flink.kinesis.KinesisConnector;

/**
 * Runs one source on a cluster inside this process, for a test: what it emits goes to a file for each
 * of its readers, a line each: kind, JSON. A folder in a line of standard input stops it with a
 * savepoint, whose path is printed.
 */
public final class SourceRun {
  private SourceRun() {}

  /** Settings of the place, the folder for what comes, parallelism, and a savepoint or nothing. */
  public static void main(String[] arguments) throws Exception {
    ObjectMapper mapper = new ObjectMapper();
    JsonNode settings = mapper.readTree(arguments[0]);
    ObjectNode operator = mapper.createObjectNode().put("uid", "clicks");
    Configuration configuration = new Configuration();
    configuration.setString("pipeline.generic-types", "false");
    configuration.setString("rest.bind-address", "127.0.0.1");
    configuration.setString("restart-strategy.type", "none");
    configuration.setString("execution.checkpointing.interval", "500 ms");
    if (arguments.length > 3) configuration.setString("execution.savepoint.path", arguments[3]);
    StreamExecutionEnvironment env =
        StreamExecutionEnvironment.createLocalEnvironment(Integer.parseInt(arguments[2]), configuration);
    env.setMaxParallelism(128);
    new KinesisConnector()
        .source(env, new Place("clicks", "sources.clicks", operator, null, settings))
        .uid("clicks")
        .addSink(new LinesTo(arguments[1]))
        .uid("lines");
    JobClient job = env.executeAsync("source");
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

  private static final class LinesTo extends RichSinkFunction<Elem> {
    private static final long serialVersionUID = 1;
    private final String folder;
    private transient Writer out;

    LinesTo(String folder) {
      this.folder = folder;
    }

    @Override
    public void open(Configuration parameters) throws Exception {
      int subtask = getRuntimeContext().getTaskInfo().getIndexOfThisSubtask();
      out = Files.newBufferedWriter(Path.of(folder, subtask + ".lines"), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    @Override
    public void invoke(Elem elem, Context context) throws Exception {
      out.write(elem.kind + " " + elem.json + "\n");
      out.flush();
    }

    @Override
    public void close() throws Exception {
      if (out != null) out.close();
    }
  }
}
