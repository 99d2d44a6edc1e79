package connect;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.transforms.Transformation;

/**
 * Shows what a connector is given after the converters: key, headers and value with their types, as
 * a line of JSON, which the file sink writes as it is.
 */
public final class RecordAsJson<R extends ConnectRecord<R>> implements Transformation<R> {
  private final JsonConverter json = new JsonConverter();

  @Override
  public void configure(Map<String, ?> settings) {
    json.configure(Map.of("schemas.enable", "false"), false);
  }

  @Override
  public R apply(R record) {
    Map<String, Object> headers = new LinkedHashMap<>();
    for (Header header : record.headers()) headers.put(header.key(), shown(header.value()));
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("key", shown(record.key()));
    all.put("headers", headers);
    all.put("value", shown(record.value()));
    byte[] line = json.fromConnectData(record.topic(), null, all);
    return record.newRecord(
        record.topic(), record.kafkaPartition(), null, null, null,
        new String(line, StandardCharsets.UTF_8), record.timestamp());
  }

  /** What is neither text nor of JSON is named with its type. */
  private static Object shown(Object value) {
    if (value instanceof byte[] bytes)
      return Map.of("bytes", Base64.getEncoder().encodeToString(bytes));
    if (value == null || value instanceof String || value instanceof Map) return value;
    return Map.of(value.getClass().getSimpleName(), String.valueOf(value));
  }

  @Override
  public ConfigDef config() {
    return new ConfigDef();
  }

  @Override
  public void close() {
    json.close();
  }
}
