package sluice.flink;

import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Iterator;
import java.util.Map;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.util.Collector;

/**
 * Runs sources as a {@link LocalRun}: what each emits goes to a file for each of its readers, a line
 * each: kind, JSON.
 */
public final class SourceRun {
  private SourceRun() {}

  /** Settings by source, the folder for what comes, parallelism, and a savepoint or nothing. */
  public static void main(String[] arguments) throws Exception {
    ObjectMapper mapper = new ObjectMapper();
    JsonNode settings = mapper.readTree(arguments[0]);
    StreamExecutionEnvironment env =
        LocalRun.environment(Integer.parseInt(arguments[2]), "500 ms", arguments.length > 3 ? arguments[3] : null);
    env.setMaxParallelism(128);
    // Of it a source asks the name of the topology alone.
    Program program = new Program("", "{\"name\":\"source-run\"}", "shared", null, Map.of(), Map.of(), 0, "graaljs");
    for (Iterator<Map.Entry<String, JsonNode>> each = settings.fields(); each.hasNext(); ) {
      Map.Entry<String, JsonNode> one = each.next();
      String name = one.getKey();
      ObjectNode operator = mapper.createObjectNode().put("uid", name).put("stream", "shop/clicks");
      String where = "sources." + name;
      Connectors.of(where, one.getValue())
          .source(env, new Place(name, where, operator, program, one.getValue()))
          .uid(name)
          .process(new LinesTo(arguments[1], name), Elem.TYPE)
          .uid(name + " lines");
    }
    LocalRun.untilTold(env.executeAsync("source"));
  }

  private static final class LinesTo extends ProcessFunction<Elem, Elem> {
    private static final long serialVersionUID = 1;
    private final String folder;
    private final String name;
    private transient Writer out;

    LinesTo(String folder, String name) {
      this.folder = folder;
      this.name = name;
    }

    @Override
    public void open(OpenContext context) throws Exception {
      int subtask = getRuntimeContext().getTaskInfo().getIndexOfThisSubtask();
      out = Files.newBufferedWriter(Path.of(folder, name + "-" + subtask + ".lines"), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
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
