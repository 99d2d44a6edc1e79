package sluice.flink;

import java.util.List;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.util.OutputTag;

/** Collects what functions gave for rows: elements, what is said of splits and time, rejections (deploy/flink/runtime/wire.ts). */
final class Emitter {
  private final Output<StreamRecord<Elem>> output;
  /** By output of the functions; the first is the operator's main one. */
  private final List<OutputTag<Elem>> ports;
  private final StreamRecord<Elem> record = new StreamRecord<>(null);

  Emitter(Output<StreamRecord<Elem>> output, List<OutputTag<Elem>> ports) {
    this.output = output;
    this.ports = ports;
  }

  /** {@code given}: the elements that the functions had; what they give on as it was is told by its number. */
  void emit(String text, List<Elem> given) {
    Lines lines = new Lines(text);
    while (lines.hasNext()) {
      String line = lines.next();
      switch (line.charAt(0)) {
        case 'E':
          element(Integer.parseInt(line.substring(1)), lines, given);
          break;
        case 'C':
          control(Integer.parseInt(line.substring(1)), lines);
          break;
        case 'R':
          Ports.reject(output, line.substring(1));
          break;
        default:
          Signals.emit(line, output);
      }
    }
  }

  private void element(int port, Lines lines, List<Elem> given) {
    long at = Times.decode(lines.next());
    String key = lines.nextKey();
    String read = lines.nextOrNull();
    String value = lines.nextOrNull();
    String json = isNumber(value) ? numbered(value, given).json : value;
    String from = lines.nextOrNull();
    String origin = isNumber(from) ? numbered(from, given).origin : from;
    collect(port, new Elem(Elem.ELEMENT, json, key, read, origin), at);
  }

  private static boolean isNumber(String line) {
    return line != null && line.charAt(0) == '@';
  }

  private static Elem numbered(String line, List<Elem> given) {
    return given.get(Integer.parseInt(line.substring(1)));
  }

  private void control(int port, Lines lines) {
    byte kind = Byte.parseByte(lines.next());
    long at = Times.decode(lines.next());
    collect(port, Elem.control(kind, lines.next()), at);
  }

  private void collect(int port, Elem elem, long at) {
    record.replace(elem, at);
    if (port == 0) output.collect(record);
    else output.collect(ports.get(port), record);
  }
}
