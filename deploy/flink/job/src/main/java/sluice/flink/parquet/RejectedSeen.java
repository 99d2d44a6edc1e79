package sluice.flink.parquet;

import java.time.Duration;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import sluice.flink.Elem;

/**
 * Counts a rejection by its identity: the row is that of the first, with how often it was seen, first
 * and last. It goes on to the folder of the first. One that comes again after the time it is kept is a
 * new one.
 */
final class RejectedSeen extends KeyedProcessFunction<String, Elem, Elem> {
  private static final long serialVersionUID = 1;
  /** How long rejections are kept: as enrich/rejected/staged-rejections.ts. */
  static final Duration KEPT = Duration.ofDays(7);

  /** Seen, first, last, folder, cells: a line each. */
  private transient ValueState<String> row;

  @Override
  public void open(OpenContext context) {
    ValueStateDescriptor<String> kept = new ValueStateDescriptor<>("row", Types.STRING);
    kept.enableTimeToLive(StateTtlConfig.newBuilder(KEPT).build());
    row = getRuntimeContext().getState(kept);
  }

  @Override
  public void processElement(Elem rejection, Context context, Collector<Elem> out) throws Exception {
    String known = row.value();
    String[] of = known == null ? null : known.split("\n", 5);
    String[] told = rejection.read.split("\n", 2);
    long received = Long.parseLong(told[1]);
    long seen = of == null ? 1 : Long.parseLong(of[0]) + 1;
    long first = of == null ? received : Long.parseLong(of[1]);
    long last = of == null ? received : Math.max(Long.parseLong(of[2]), received);
    String folder = of == null ? told[0] : of[3];
    String cells = of == null ? rejection.json : of[4];
    row.update(seen + "\n" + first + "\n" + last + "\n" + folder + "\n" + cells);
    String counted = cells.substring(0, cells.length() - 1) + "," + seen + "," + first + "," + last + "]";
    out.collect(Elem.keyed(folder, context.getCurrentKey(), counted));
  }
}
