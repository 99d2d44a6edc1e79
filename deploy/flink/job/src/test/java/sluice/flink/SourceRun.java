package sluice.flink;

import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.util.Collector;
import sluice.flink.kinesis.KinesisConnector;

/**
 * Runs one source as a {@link LocalRun}: what it emits goes to a file for each of its readers, a line
 * each: kind, JSON.
 */
public final class SourceRun {
  private SourceRun() {}

  /** Settings of the place, the folder for what comes, parallelism, and a savepoint or nothing. */
  public static void main(String[] arguments) throws Exception {
    ObjectMapper mapper = new ObjectMapper();
    JsonNode settings = mapper.readTree(arguments[0]);
    ObjectNode operator = mapper.createObjectNode().put("uid", "clicks");
    StreamExecutionEnvironment env =
        LocalRun.environment(Integer.parseInt(arguments[2]), "500 ms", arguments.length > 3 ? arguments[3] : null);
    env.setMaxParallelism(128);
    new KinesisConnector()
        .source(env, new Place("clicks", "sources.clicks", operator, null, settings))
        .uid("clicks")
        .process(new LinesTo(arguments[1]), Elem.TYPE)
        .uid("lines");
    LocalRun.untilTold(env.executeAsync("source"));
  }

  private static final class LinesTo extends ProcessFunction<Elem, Elem> {
    private static final long serialVersionUID = 1;
    private final String folder;
    private transient Writer out;

    LinesTo(String folder) {
      this.folder = folder;
    }

    @Override
    public void open(OpenContext context) throws Exception {
      int subtask = getRuntimeContext().getTaskInfo().getIndexOfThisSubtask();
      out = Files.newBufferedWriter(Path.of(folder, subtask + ".lines"), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    @Override
    public void processElement(Elem elem, Context context, Collector<Elem> none) throws Exception {
      out.write(elem.kind + " " + elem.json + "\n");
      out.flush();
    }

    @Override
    public void close() throws Exception {
      if (out != null) out.close();
    }
  }
}
