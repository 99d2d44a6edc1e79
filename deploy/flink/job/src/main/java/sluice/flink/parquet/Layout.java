package sluice.flink.parquet;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;

/** A table's files, as the functions tell it (deploy/flink/runtime/table.ts). */
final class Layout implements Serializable {
  private static final long serialVersionUID = 1;

  /** A column of a file. The types are those of schemas/columns.ts. */
  static final class Column implements Serializable {
    private static final long serialVersionUID = 1;
    final String name;
    final String type;
    final boolean nullable;

    Column(JsonNode told) {
      name = told.get("name").asText();
      type = told.get("type").asText();
      nullable = told.get("nullable").asBoolean();
    }
  }

  final String table;
  final List<Column> columns;
  /** Whether rows have their order, as the last column. */
  final boolean order;
  /** Paths in the lake. */
  final String description;
  final String columnsFile;

  Layout(JsonNode told) {
    table = told.get("table").asText();
    columns = columns(told.get("columns"));
    order = told.get("order").asBoolean();
    description = told.get("description").asText();
    columnsFile = told.get("columnsFile").asText();
  }

  static List<Column> columns(JsonNode told) {
    List<Column> columns = new ArrayList<>();
    for (JsonNode one : told) columns.add(new Column(one));
    return columns;
  }
}
