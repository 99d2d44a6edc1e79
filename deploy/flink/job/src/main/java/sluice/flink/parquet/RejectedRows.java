package sluice.flink.parquet;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.util.Collector;
import sluice.flink.Scripted;
import sluice.flink.Elem;
import sluice.flink.Functions;
import sluice.flink.Program;

/**
 * Of a rejection the row that it is in the rejected table (deploy/flink/runtime/rejected.ts): its key
 * is the rejection's identity, what it reads its folder and when it was received.
 */
final class RejectedRows extends ProcessFunction<Elem, Elem> {
  private static final long serialVersionUID = 1;
  private final Program program;
  private transient Functions functions;
  private transient Scripted table;

  RejectedRows(Program program) {
    this.program = program;
  }

  @Override
  public void open(OpenContext context) {
    functions = Functions.acquire(program);
    table = functions.of("rejectedTable");
  }

  @Override
  public void processElement(Elem rejection, Context context, Collector<Elem> out) {
    long now = context.timerService().currentProcessingTime();
    String[] row = table.text("row", rejection.json, now).split("\n", -1);
    out.collect(Elem.keyed(row[0], row[1] + "\n" + row[2], row[3]));
  }

  @Override
  public void close() {
    if (functions != null) functions.close();
    functions = null;
  }
}
