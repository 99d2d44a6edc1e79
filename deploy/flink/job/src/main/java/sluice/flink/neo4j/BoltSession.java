package sluice.flink.neo4j;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import sluice.flink.Scripted;
import org.neo4j.driver.AuthTokens;
import org.neo4j.driver.Bookmark;
import org.neo4j.driver.Config;
import org.neo4j.driver.Driver;
import org.neo4j.driver.GraphDatabase;
import org.neo4j.driver.Logging;
import org.neo4j.driver.Record;
import org.neo4j.driver.Session;
import org.neo4j.driver.SessionConfig;
import org.neo4j.driver.Transaction;
import org.neo4j.driver.TransactionConfig;
import org.neo4j.driver.exceptions.Neo4jException;
import org.neo4j.driver.exceptions.ServiceUnavailableException;
import org.neo4j.driver.exceptions.SessionExpiredException;
import org.neo4j.driver.exceptions.TransientException;
import sluice.flink.Functions;
import sluice.flink.Program;

/**
 * Carries out what a graph's commits want of the database (runtime/graph-commits.ts), as
 * enrich/graph/neo4j/neo4j-session.ts does for the engine: transactions that the driver tries again
 * for a bounded time, one after the other, each seeing what the ones before committed.
 */
final class BoltSession implements AutoCloseable {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  /** Connections, making one, and one transaction. */
  private static final int CONNECTIONS_MAX = 4;
  private static final long CONNECT_MS = 5_000;
  private static final TransactionConfig TRANSACTION = TransactionConfig.builder().withTimeout(Duration.ofSeconds(60)).build();

  private final Functions functions;
  private final Scripted commits;
  private final Driver driver;
  private final String database;
  private Bookmark last;

  BoltSession(Program program, String uid, Access access) throws IOException {
    String password = access.password.read();
    Config config =
        Config.builder()
            .withMaxConnectionPoolSize(CONNECTIONS_MAX)
            .withConnectionTimeout(CONNECT_MS, TimeUnit.MILLISECONDS)
            .withConnectionAcquisitionTimeout(CONNECT_MS, TimeUnit.MILLISECONDS)
            .withMaxTransactionRetryTime(access.retryMaxMs, TimeUnit.MILLISECONDS)
            .withUserAgent("sluice")
            .withLogging(Logging.slf4j())
            .build();
    driver = GraphDatabase.driver(access.url, AuthTokens.basic(access.user, password), config);
    database = access.database;
    functions = Functions.acquire(program);
    commits = functions.of("graphCommits", uid, access.url);
  }

  void open(String lineage, long number, int chunks) throws IOException {
    commits.run("open", "{\"lineage\":\"" + lineage + "\",\"number\":" + number + ",\"chunks\":" + chunks + "}");
    carryOut();
  }

  void apply(long number, int chunk, String writes) throws IOException {
    commits.run("apply", (double) number, chunk, writes);
    carryOut();
  }

  /** Until the operation is over. */
  private void carryOut() throws IOException {
    for (; ; ) {
      JsonNode want = next();
      switch (want.get("want").asText()) {
        case "done":
          return;
        case "refused":
          throw refusal(want);
        case "define":
          define(want.get("text").asText());
          break;
        default:
          transaction();
      }
    }
  }

  private JsonNode next() {
    try {
      return MAPPER.readTree(commits.text("next"));
    } catch (IOException cause) {
      throw new IllegalStateException(cause);
    }
  }

  private Session session() {
    SessionConfig.Builder config = SessionConfig.builder();
    if (database != null) config.withDatabase(database);
    if (last != null) config.withBookmarks(last);
    return driver.session(config.build());
  }

  /** The functions decided against what they did: it is rolled back, and not tried again. */
  private static final class Aborted extends RuntimeException {
    private static final long serialVersionUID = 1;

    Aborted() {
      super("rolled back", null, false, false);
    }
  }

  private void transaction() {
    try (Session session = session()) {
      session.writeTransaction(
          transaction -> {
            attempt(transaction);
            return null;
          },
          TRANSACTION);
      last = session.lastBookmark();
      commits.run("committed");
    } catch (Aborted rolledBack) {
      commits.run("aborted");
    } catch (Neo4jException fault) {
      failed(fault);
    }
  }

  private void attempt(Transaction transaction) {
    commits.run("attempt");
    for (; ; ) {
      JsonNode want = next();
      switch (want.get("want").asText()) {
        case "end":
          return;
        case "abort":
          throw new Aborted();
        default:
          commits.run("answer", run(transaction, want));
      }
    }
  }

  private static String run(Transaction transaction, JsonNode want) {
    List<Map<String, Object>> rows = new ArrayList<>();
    for (JsonNode row : want.get("rows")) rows.add(parameters(row));
    List<Map<String, Object>> found = new ArrayList<>();
    for (Record record : transaction.run(want.get("text").asText(), Map.of("rows", rows)).list()) found.add(record.asMap());
    try {
      return MAPPER.writeValueAsString(found);
    } catch (IOException cause) {
      throw new IllegalStateException(cause);
    }
  }

  /** Every number as a float, as the engine's driver sends it: statements make integers of them. */
  private static Map<String, Object> parameters(JsonNode row) {
    Map<String, Object> parameters = new HashMap<>();
    for (Iterator<Map.Entry<String, JsonNode>> cells = row.fields(); cells.hasNext(); ) {
      Map.Entry<String, JsonNode> cell = cells.next();
      JsonNode value = cell.getValue();
      if (value.isNumber()) parameters.put(cell.getKey(), value.doubleValue());
      else if (value.isBoolean()) parameters.put(cell.getKey(), value.booleanValue());
      else parameters.put(cell.getKey(), value.isNull() ? null : value.textValue());
    }
    return parameters;
  }

  private void define(String statement) {
    try (Session session = session()) {
      session.writeTransaction(transaction -> transaction.run(statement).consume(), TRANSACTION);
      last = session.lastBookmark();
      commits.run("answer", "[]");
    } catch (Neo4jException fault) {
      failed(fault);
    }
  }

  private void failed(Neo4jException fault) {
    // Those of a database that is gone: the work finds out what is there.
    if (fault.code() != null && fault.code().contains("Bookmark")) last = null;
    boolean unreachable = fault instanceof ServiceUnavailableException || fault instanceof SessionExpiredException;
    Map<String, Object> told = new HashMap<>();
    told.put("code", unreachable ? "ServiceUnavailable" : String.valueOf(fault.code()));
    told.put("message", String.valueOf(fault.getMessage()));
    told.put("mayPass", unreachable || fault instanceof TransientException);
    try {
      commits.run("failed", MAPPER.writeValueAsString(told));
    } catch (IOException cause) {
      throw new IllegalStateException(cause);
    }
  }

  /** Whoever was taken over from must not start again: the other one would be taken over from then. */
  private static IOException refusal(JsonNode fault) {
    String code = fault.get("code").asText();
    String fix = fault.get("fix").asText();
    IOException refusal = new IOException(code + ": " + fault.get("message").asText() + (fix.isEmpty() ? "" : "; " + fix));
    if (code.equals("fenced")) throw new SuppressRestartsException(refusal);
    return refusal;
  }

  @Override
  public void close() {
    functions.close();
    driver.close();
  }
}
