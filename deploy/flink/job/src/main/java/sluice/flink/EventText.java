package sluice.flink;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Iterator;
import java.util.Map;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

/** The parts of an event that is one JSON object: its attributes, and `data`. */
final class EventText {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private EventText() {}

  /** All members but data, as JSON. */
  static String attributes(String event) {
    ObjectNode attributes = MAPPER.createObjectNode();
    JsonNode tree = tree(event);
    for (Iterator<Map.Entry<String, JsonNode>> fields = tree.fields(); fields.hasNext(); ) {
      Map.Entry<String, JsonNode> field = fields.next();
      if (!field.getKey().equals("data")) attributes.set(field.getKey(), field.getValue());
    }
    return attributes.toString();
  }

  static String dataBase64(String event) {
    return Base64.getEncoder().encodeToString(tree(event).path("data").toString().getBytes(StandardCharsets.UTF_8));
  }

  private static JsonNode tree(String event) {
    try {
      return MAPPER.readTree(event);
    } catch (Exception cause) {
      throw new IllegalArgumentException("a line of a source must be one JSON object: " + cause.getMessage(), cause);
    }
  }
}
