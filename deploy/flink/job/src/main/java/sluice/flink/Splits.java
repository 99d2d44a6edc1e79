package sluice.flink;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.connector.source.ReaderOutput;

/**
 * What a source reader says of its splits, in line with its elements, so that event time behind it
 * is made per split: that one exists before its first element, and where each element is from.
 */
public final class Splits {
  private final String source;
  private final List<String> begun = new ArrayList<>();

  public Splits(String source) {
    this.source = source;
  }

  /** A split by its key, as topology/operators/batch.ts has it. */
  private String key(String path, String split) {
    return source + " " + path + " " + split;
  }

  /** It was assigned: said with the next poll. */
  public void begin(String path, String split) {
    begun.add(key(path, split));
  }

  public void say(ReaderOutput<Elem> output) {
    for (String split : begun)
      output.collect(Elem.control(Elem.SPLIT, "{\"split\":" + Json.quote(split) + ",\"parents\":[],\"told\":false}"), 0);
    begun.clear();
  }

  /** The origin of an event, without its bytes. */
  String origin(String stream, String path, String split, long position, String event) {
    EventText parts = new EventText(event);
    return "{\"stream\":" + Json.quote(stream) + ",\"path\":" + Json.quote(path) + ",\"split\":" + Json.quote(split)
        + ",\"splitKey\":" + Json.quote(key(path, split)) + ",\"position\":\"" + position
        + "\",\"attributes\":" + parts.attributes + ",\"data\":\"" + parts.data + "\"}";
  }
}
