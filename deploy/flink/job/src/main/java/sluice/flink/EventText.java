package sluice.flink;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

/** The parts of an event that is one JSON object: its attributes, and `data`. */
final class EventText {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  /** All members but data, as JSON. */
  final String attributes;
  /** Data, as base64 of its JSON. */
  final String data;

  EventText(String event) {
    JsonNode tree;
    try {
      tree = MAPPER.readTree(event);
    } catch (Exception cause) {
      throw new IllegalArgumentException("a line of a source must be one JSON object: " + cause.getMessage(), cause);
    }
    if (!tree.isObject()) throw new IllegalArgumentException("a line of a source must be one JSON object, not " + event);
    JsonNode value = ((ObjectNode) tree).remove("data");
    attributes = tree.toString();
    data =
        Base64.getEncoder()
            .encodeToString(String.valueOf(value).getBytes(StandardCharsets.UTF_8));
  }
}
