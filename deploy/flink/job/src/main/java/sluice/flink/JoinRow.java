package sluice.flink;

/** A row of one input of a join, as Flink's POJO serializer keeps it: fields may be added. */
public final class JoinRow {
  public String json;
  public String origin;
  /** Whether a pair of it came out. */
  public boolean matched;

  public JoinRow() {}

  JoinRow(Elem elem) {
    json = elem.json;
    origin = elem.origin;
  }
}
