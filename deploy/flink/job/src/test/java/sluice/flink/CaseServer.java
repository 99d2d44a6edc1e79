package sluice.flink;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * Runs topologies step by step for the conformance cases: a command a line of standard input, an
 * answer a line of standard output. One process runs all cases.
 */
public final class CaseServer {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final long FUNCTION_MAX_MS = 10_000;
  private static final String ENGINE = System.getProperty("sluice.engine", "graaljs");
  private final String bundle;
  private final Map<String, ScriptedRun> runs = new HashMap<>();
  private final Map<String, Program> programs = new HashMap<>();
  private final Map<Integer, ScriptedRun.Snapshot> snapshots = new HashMap<>();
  private int snapshotCount;

  private CaseServer(String bundle) {
    this.bundle = bundle;
  }

  public static void main(String[] arguments) throws Exception {
    PrintStream answers = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    System.setOut(System.err);
    // Windows leave and come back in cases of a few keys.
    HeldWindows.heldMax = 2;
    CaseServer server = new CaseServer(Files.readString(Path.of(arguments[0])));
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      ObjectNode answer = MAPPER.createObjectNode();
      try {
        server.run(MAPPER.readTree(line), answer);
      } catch (Throwable thrown) {
        thrown.printStackTrace();
        answer.removeAll();
        answer.put("error", thrown.toString());
      }
      answers.println(answer);
      answers.flush();
    }
    System.exit(0);
  }

  private void run(JsonNode command, ObjectNode answer) throws Exception {
    String name = command.get("session").asText();
    if (command.get("op").asText().equals("open")) {
      runs.put(name, open(command));
      return;
    }
    ScriptedRun run = runs.get(name);
    switch (command.get("op").asText()) {
      case "start":
        run.start();
        break;
      case "push":
        for (JsonNode row : command.get("rows"))
          run.push(row.get("source").asText(), row.get("json").asText(), row.get("origin").asText());
        break;
      case "control":
        run.control(
            command.get("source").asText(),
            (byte) command.get("kind").asInt(),
            Times.decode(command.get("at").asText()),
            command.get("value").asText());
        break;
      case "end":
        run.end();
        break;
      case "clock":
        run.clock(command.get("ms").asLong());
        break;
      case "await":
        run.await(command.get("ms").asLong());
        break;
      case "read":
        run.read(MAPPER, answer);
        break;
      case "snapshot":
        snapshots.put(++snapshotCount, run.snapshot());
        answer.put("snapshot", snapshotCount);
        break;
      case "restore":
        run.restore(snapshots.get(command.get("snapshot").asInt()));
        break;
      case "close":
        runs.remove(name).close();
        break;
      default:
        throw new IllegalArgumentException("unknown command " + command);
    }
  }

  private ScriptedRun open(JsonNode command) throws Exception {
    String plan = command.get("plan").asText();
    String given = command.get("given").asText();
    Program program =
        programs.computeIfAbsent(
            plan + "\n" + given,
            key -> {
              Program made = new Program(bundle, plan, "all", given, Map.of(), Map.of(), command.path("functionMaxMs").asLong(FUNCTION_MAX_MS), ENGINE);
              // Its context is kept for the runs that follow.
              Functions.acquire(made);
              return made;
            });
    return new ScriptedRun(
        program,
        MAPPER.readTree(plan),
        command.get("parallelism").asInt(),
        command.path("batchRows").asInt(1),
        command.path("lookups"),
        command.get("now").asLong());
  }
}
