package job;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.connector.source.lib.NumberSequenceSource;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/**
 * A job that counts without an end. `args`: its name, and what it does: `count`; `fail` as soon as it
 * runs; `refuse` in its main; `other` counts in an operator of another id.
 */
public final class Tiny {
  public static void main(String[] args) throws Exception {
    String name = args[0];
    String what = args[1];
    if (what.equals("refuse")) throw new IllegalArgumentException("the tiny job does not want to");
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
    env.fromSource(new NumberSequenceSource(0, Long.MAX_VALUE - 1), WatermarkStrategy.noWatermarks(), "numbers")
        .uid("numbers")
        .setParallelism(1)
        .map(Tiny::slowly)
        .uid("slowly")
        .setParallelism(1)
        .keyBy(n -> n % 7)
        .process(new Count(what.equals("fail")))
        .uid(what.equals("other") ? "other" : "count")
        .sinkTo(new DiscardingSink<>())
        .uid("nowhere");
    env.execute(name);
  }

  /** Beside the source, so that nothing waits between the two. */
  private static Long slowly(Long n) throws Exception {
    Thread.sleep(5);
    return n;
  }

  private static final class Count extends KeyedProcessFunction<Long, Long, Long> {
    private final boolean fails;
    private transient ValueState<Long> count;

    private Count(boolean fails) {
      this.fails = fails;
    }

    @Override
    public void open(OpenContext context) {
      count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Long.class));
    }

    @Override
    public void processElement(Long n, Context context, Collector<Long> out) throws Exception {
      if (fails) throw new IllegalStateException("the tiny job fails at " + n);
      Long before = count.value();
      count.update(before == null ? 1 : before + 1);
      out.collect(count.value());
    }
  }
}
