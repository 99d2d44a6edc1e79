package sluice.flink;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.StringJoiner;
import org.apache.flink.api.connector.source.ReaderOutput;

/**
 * What a source reader says of its splits, in line with its elements, so that event time behind it
 * is made per split: that one exists before its first element, and, of a reader that tells, where
 * their ends were found and which splits it has. All is said with the next {@link #say}.
 */
public final class Splits {
  private final String source;
  private final boolean told;
  private final List<Elem> said = new ArrayList<>();

  /** Of a reader that does not tell what it hears: a split is idle when no element comes. */
  public Splits(String source) {
    this(source, false);
  }

  /**
   * {@code source}: the uid of the plan's operator. {@code told}: a split is idle only when
   * {@link #heard} says that it is quiet; such a reader says {@link #reads}, too.
   */
  public Splits(String source, boolean told) {
    this.source = source;
    this.told = told;
  }

  private String place(String path) {
    return source + " " + path;
  }

  /** A split by its key, as topology/operators/batch.ts has it. */
  private String key(String path, String split) {
    return place(path) + " " + split;
  }

  /** It was assigned. */
  public void begin(String path, String split) {
    begin(path, split, List.of());
  }

  /** {@code parents}: splits that are read to their ends before it. */
  public void begin(String path, String split, List<String> parents) {
    StringJoiner keys = new StringJoiner(",", "[", "]");
    for (String parent : parents) keys.add(Json.quote(key(path, parent)));
    said.add(Elem.control(Elem.SPLIT, "{\"split\":" + Json.quote(key(path, split)) + ",\"parents\":" + keys + ",\"told\":" + told + "}"));
  }

  /** It was read to its end, and has no more. */
  public void end(String path, String split) {
    said.add(Elem.control(Elem.SPLIT_END, Json.quote(key(path, split))));
  }

  /** A read that began at {@code ms}, by the clock of the machine, found its end. */
  public void heard(String path, String split, long ms) {
    said.add(Elem.control(Elem.HEARD, "{" + Json.quote(key(path, split)) + ":" + ms + "}"));
  }

  /** The reader has these splits and no others, also none. */
  public void reads(String path, Collection<String> splits) {
    StringJoiner keys = new StringJoiner(",", "[", "]");
    for (String split : splits) keys.add(Json.quote(key(path, split)));
    said.add(Elem.control(Elem.READS, "{\"place\":" + Json.quote(place(path)) + ",\"splits\":" + keys + "}"));
  }

  /** Whether something is to be said. */
  public boolean hasNews() {
    return !said.isEmpty();
  }

  public void say(ReaderOutput<Elem> output) {
    for (Elem one : said) output.collect(one, 0);
    said.clear();
  }

  /** The origin of an event, without its bytes. */
  String origin(String stream, String path, String split, long position, String event) {
    EventText parts = new EventText(event);
    return "{\"stream\":" + Json.quote(stream) + ",\"path\":" + Json.quote(path) + ",\"split\":" + Json.quote(split)
        + ",\"splitKey\":" + Json.quote(key(path, split)) + ",\"position\":\"" + position
        + "\",\"attributes\":" + parts.attributes + ",\"data\":\"" + parts.data + "\"}";
  }
}
