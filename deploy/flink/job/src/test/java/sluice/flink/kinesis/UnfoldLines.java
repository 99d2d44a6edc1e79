package sluice.flink.kinesis;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import sluice.flink.Json;

/** Takes records apart for a test: base64 a line in, a JSON array of keys and values a line out, or null. */
public final class UnfoldLines {
  private UnfoldLines() {}

  public static void main(String[] arguments) throws Exception {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    PrintStream answers = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      List<Unfold.Part> parts = Unfold.parts(Base64.getDecoder().decode(line));
      StringBuilder answer = new StringBuilder();
      if (parts != null)
        for (Unfold.Part part : parts)
          answer.append(answer.length() == 0 ? "[" : ",").append('[').append(Json.quote(part.key)).append(",\"")
              .append(Base64.getEncoder().encodeToString(part.value)).append("\"]");
      answers.println(parts == null ? "null" : answer.append(']'));
    }
    answers.flush();
  }
}
