package sluice.flink;

import java.io.IOException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.streaming.api.datastream.DataStream;

/** A place in the settings, with the operator of the plan that it is for. */
public final class Place {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  /** Of the operator that reads or writes it: stable, as its state is kept under it. */
  public final String uid;
  /** In the settings, for messages: `sources.clicks`. */
  public final String where;
  /** The operator's entry in plan.json; that of the whole plan for rejected elements. */
  public final JsonNode operator;
  /** Whose functions a connector may ask. */
  public final Program program;
  private final JsonNode settings;

  Place(String uid, String where, JsonNode operator, Program program, JsonNode settings) {
    this.uid = uid;
    this.program = program;
    this.where = where;
    this.operator = operator;
    this.settings = settings;
  }

  /** The name of the topology. */
  public String topology() {
    try {
      return MAPPER.readTree(program.plan).path("name").asText();
    } catch (IOException cause) {
      throw new IllegalStateException("the plan is not JSON", cause);
    }
  }

  /** A setting that has to be there. */
  public String text(String name) {
    JsonNode value = settings.path(name);
    if (!value.isTextual()) throw new IllegalArgumentException("settings." + where + "." + name + ": expected a text");
    return value.asText();
  }

  public String text(String name, String otherwise) {
    return settings.has(name) ? text(name) : otherwise;
  }

  public long number(String name, long otherwise) {
    JsonNode value = settings.path(name);
    if (value.isMissingNode()) return otherwise;
    if (!value.canConvertToLong()) throw new IllegalArgumentException("settings." + where + "." + name + ": expected a whole number");
    return value.asLong();
  }

  public JsonNode setting(String name) {
    return settings.path(name);
  }

  /** Writes rows by the connector that a setting names, as a place of its own beside this one. */
  public void sink(String name, DataStream<Elem> rows) {
    JsonNode given = settings.path(name);
    String there = where + "." + name;
    Connectors.of(there, given).sink(rows, new Place(uid + "/" + name, there, operator, program, given));
  }

  IllegalArgumentException unable(String role) {
    return new IllegalArgumentException("settings." + where + ".connector: " + settings.path("connector").asText() + " cannot be " + role);
  }
}
