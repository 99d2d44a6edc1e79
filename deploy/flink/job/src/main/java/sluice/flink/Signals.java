package sluice.flink;

import java.util.function.LongUnaryOperator;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;

/** What functions say of time, as Flink's watermarks and status. */
final class Signals {
  private Signals() {}

  /** What was said before a restore, with the time as the operator forwards it. */
  static void again(String lines, LongUnaryOperator forwarded, Output<StreamRecord<Elem>> output) {
    Lines said = new Lines(lines);
    while (said.hasNext()) {
      String line = said.next();
      if (line.charAt(0) == 'W') watermark(forwarded.applyAsLong(Times.decode(line.substring(1))), output);
      else emit(line, output);
    }
  }

  /** One that was restored is said again; before the first there is nothing to say. */
  static void watermark(long at, Output<StreamRecord<Elem>> output) {
    if (at != Times.MIN) output.emitWatermark(new Watermark(at));
  }

  /** A line: `W` and a time, `I` or `A`. */
  static void emit(String line, Output<StreamRecord<Elem>> output) {
    switch (line.charAt(0)) {
      case 'W':
        output.emitWatermark(new Watermark(Times.decode(line.substring(1))));
        break;
      case 'I':
        output.emitWatermarkStatus(WatermarkStatus.IDLE);
        break;
      case 'A':
        output.emitWatermarkStatus(WatermarkStatus.ACTIVE);
        break;
      default:
        throw new IllegalStateException("the functions said '" + line + "'");
    }
  }
}
