package sluice.flink;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamElement;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.StatusWatermarkValve;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;

/** What reaches a sink, as its task would see it behind the valve of its channels. */
final class Captured implements Reached {
  /** What was said of time so far: an operator that is restored says it again. */
  static final class Said {
    final long watermark;
    final boolean idle;

    Said(long watermark, boolean idle) {
      this.watermark = watermark;
      this.idle = idle;
    }
  }

  final String name;
  final List<String> rows = new ArrayList<>();
  final List<String> signals = new ArrayList<>();
  Said said = new Said(Times.MIN, false);
  private StatusWatermarkValve valve;

  Captured(String name) {
    this.name = name;
  }

  void open(int channels) {
    valve = new StatusWatermarkValve(channels);
  }

  void accept(int channel, StreamElement element) throws Exception {
    if (element.isRecord()) emitRecord(element.asRecord());
    else if (element.isWatermark()) valve.inputWatermark(element.asWatermark(), channel, this);
    else if (element.isWatermarkStatus()) valve.inputWatermarkStatus(element.asWatermarkStatus(), channel, this);
  }

  @Override
  public void emitRecord(StreamRecord<Elem> record) {
    Elem elem = record.getValue();
    if (elem.kind != Elem.ELEMENT) return;
    String at = record.hasTimestamp() ? Long.toString(record.getTimestamp()) : "null";
    rows.add("{\"timestamp\":" + at + ",\"value\":" + elem.json + "}");
  }

  @Override
  public void emitWatermark(Watermark mark) {
    if (mark.getTimestamp() <= said.watermark) return;
    said = new Said(mark.getTimestamp(), said.idle);
    signals.add(Times.text(mark.getTimestamp()));
  }

  @Override
  public void emitWatermarkStatus(WatermarkStatus status) {
    if (status.isIdle() == said.idle) return;
    said = new Said(said.watermark, status.isIdle());
    signals.add(status.isIdle() ? "\"idle\"" : "\"active\"");
  }
}
