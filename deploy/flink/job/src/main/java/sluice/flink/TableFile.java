package sluice.flink;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;

/** A look-up table's file: a JSON array or NDJSON, also with gzip (`.gz`). */
final class TableFile {
  private TableFile() {}

  /** Its rows as a JSON array. */
  static String rows(String path) throws IOException {
    String text = read(path).trim();
    if (text.startsWith("[")) return text;
    StringBuilder rows = new StringBuilder("[");
    for (String line : text.split("\n")) {
      if (line.isBlank()) continue;
      if (rows.length() > 1) rows.append(',');
      rows.append(line);
    }
    return rows.append(']').toString();
  }

  private static String read(String path) throws IOException {
    try (InputStream file = Files.newInputStream(Path.of(path));
        InputStream in = path.endsWith(".gz") ? new GZIPInputStream(file) : file) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
