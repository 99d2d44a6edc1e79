package sluice.flink;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import sluice.flink.JobGraph.Source;
import sluice.flink.firehose.FirehoseConnector;
import sluice.flink.kafka.KafkaConnector;
import sluice.flink.kinesis.KinesisConnector;
import sluice.flink.neo4j.Neo4jConnector;
import sluice.flink.parquet.ParquetConnector;

/** Binds sources and sinks to the places that the settings name: all kinds of them are listed here. */
final class Connectors implements JobGraph.Connectors {
  private static final Map<String, Connector> BY_NAME = new LinkedHashMap<>();

  static {
    Connector[] all = {
      new LinesConnector(), new KinesisConnector(), new KafkaConnector(), new ParquetConnector(), new Neo4jConnector(),
      new FirehoseConnector(),
    };
    for (Connector one : all) BY_NAME.put(one.name(), one);
  }

  private final JsonNode plan;
  private final JsonNode settings;
  private final Program program;

  Connectors(JsonNode plan, JsonNode settings, Program program) {
    this.plan = plan;
    this.settings = settings;
    this.program = program;
  }

  /** By sink: how its connector wants its rows, and behind that the one of its fallback. */
  static Map<String, String> sinkForms(JsonNode plan, JsonNode settings) {
    Map<String, String> forms = new HashMap<>();
    for (JsonNode operator : plan.get("operators")) {
      if (!operator.get("kind").asText().equals("sink")) continue;
      String uid = operator.get("uid").asText();
      JsonNode given = settings.path("sinks").path(uid);
      String form = of("sinks." + uid, given).rowForm();
      JsonNode beside = given.path("fallback");
      if (!beside.isMissingNode()) form += " " + of("sinks." + uid + ".fallback", beside).rowForm();
      forms.put(uid, form);
    }
    return forms;
  }

  /** One place, or a list of places that are read as one: each with an operator of its own. */
  @Override
  public List<Source> source(StreamExecutionEnvironment env, JsonNode operator) {
    String uid = operator.get("uid").asText();
    JsonNode given = settings.path("sources").path(uid);
    List<Source> sources = new ArrayList<>();
    if (!given.isArray()) {
      sources.add(source(env, new Place(uid, "sources." + uid, operator, program, given), given));
      return sources;
    }
    for (int i = 0; i < given.size(); i++) {
      JsonNode one = given.get(i);
      String own = given.size() == 1 ? uid : uid + "/" + one.path("connector").asText();
      sources.add(source(env, new Place(own, "sources." + uid + "[" + i + "]", operator, program, one), one));
    }
    return sources;
  }

  private static Source source(StreamExecutionEnvironment env, Place place, JsonNode given) {
    Connector connector = of(place.where, given);
    SingleOutputStreamOperator<Elem> made = connector.source(env, place);
    return new Source(made.uid(place.uid).name(place.uid), connector.givesRecords(), Map.of(connector.name(), given.path("from")));
  }

  @Override
  public void sink(DataStream<Elem> rows, JsonNode operator) {
    String uid = operator.get("uid").asText();
    JsonNode given = settings.path("sinks").path(uid);
    of("sinks." + uid, given).sink(rows, new Place(uid, "sinks." + uid, operator, program, given));
  }

  @Override
  public DataStream<Elem> rejecting(DataStream<Elem> rejections, String from) {
    Place place = placeOfRejected();
    return of("rejected", settings.path("rejected")).rejecting(rejections, place, from);
  }

  @Override
  public Asking.Factory lookup(JsonNode operator) {
    return HttpAsking.Factory.of(operator.get("lookup"), settings.path("lookups"));
  }

  @Override
  public void rejected(DataStream<Elem> rejections) {
    of("rejected", settings.path("rejected")).rejected(rejections, placeOfRejected());
  }

  private Place placeOfRejected() {
    return new Place("rejected elements", "rejected", plan, program, settings.path("rejected"));
  }

  static Connector of(String where, JsonNode given) {
    if (given.isMissingNode())
      throw new IllegalArgumentException("the topology needs settings." + where + ", as {\"connector\": \"lines\", \"path\": \"...\"}");
    String name = given.path("connector").asText();
    Connector found = BY_NAME.get(name);
    if (found == null)
      throw new IllegalArgumentException("settings." + where + ": unknown connector '" + name + "'; there is " + String.join(", ", BY_NAME.keySet()));
    return found;
  }
}
